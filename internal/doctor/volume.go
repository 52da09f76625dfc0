package doctor

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Volume is a file system.
type Volume struct {
	ID    uint64 // equal for directories on one volume
	Type  string // "ext4", "tmpfs", "overlay", ...; empty if unknown
	Bytes uint64 // size
}

// Volumes returns the file system of a directory, or of its nearest existing parent.
type Volumes func(directory string) (Volume, error)

// fallbacklog's defaults, in MiB
const defaultMaxDiskMiB, defaultMinFreeMiB, defaultDeadLetterMiB = 10240, 1024, 1024

// temporaryFolders may be emptied by a restart of the host or by a cleaner.
var temporaryFolders = []string{"/tmp", "/var/tmp", "/dev/shm", "/run"}

// logDirectories finds logs that do not survive a restart or do not fit their volume.
func logDirectories(c *config, volumes Volumes) []Finding {
	var out []Finding
	needs := map[uint64]*need{}
	for _, id := range c.ids("exporters", "fallbacklog") {
		log := c.root.sub("exporters").sub(id).sub("log")
		directory := log.text("directory", "/var/lib/otelcol/fallbacklog")
		where := "exporters::" + id + "::log::directory"
		volume, err := volumes(directory)
		if err != nil {
			out = append(out, Finding{where, err.Error(), "choose a directory that the gateway's user may write to"})
			continue
		}
		switch isTemporary := slices.ContainsFunc(temporaryFolders, func(folder string) bool { return isBelow(directory, folder) }); {
		case volume.Type == "overlay":
			out = append(out, Finding{where, directory + " is in the container's own layer and ends with the container", "mount a volume there"})
		case isTemporary || volume.Type == "tmpfs" || volume.Type == "ramfs":
			out = append(out, Finding{where, directory + " is temporary: a restart of the host empties it", "choose a directory on a disk"})
		}
		all := needs[volume.ID]
		if all == nil {
			all = &need{}
			needs[volume.ID] = all
		}
		all.add(log, c.root.sub("exporters").sub(id).sub("dead_letter"))
		if float64(volume.Bytes>>20) < all.totalMiB() {
			out = append(out, Finding{
				where, fmt.Sprintf("the volume has %d MiB; the max_disk_mib of its logs, plus the larger of their dead letters and min_free_disk_mib, is %.0f MiB", volume.Bytes>>20, all.totalMiB()),
				"lower max_disk_mib, or choose a larger volume",
			})
		}
	}
	return out
}

// need is the space for all logs on one volume. The fields are floats, so that an absurd number cannot overflow.
type need struct{ logsMiB, deadLettersMiB, freeMiB float64 }

func (n *need) add(log, deadLetter settings) {
	n.logsMiB += float64(log.number("max_disk_mib", defaultMaxDiskMiB))
	if deadLetter.text("enabled", "true") == "true" {
		n.deadLettersMiB += float64(deadLetter.number("max_disk_mib", defaultDeadLetterMiB))
	}
	n.freeMiB = max(n.freeMiB, float64(log.number("min_free_disk_mib", defaultMinFreeMiB)))
}

// totalMiB returns the space that the logs need. Of dead letters and free space only the larger counts, because dead letters are rarely
// full.
func (n *need) totalMiB() float64 { return n.logsMiB + max(n.deadLettersMiB, n.freeMiB) }

func isBelow(directory, folder string) bool {
	clean := filepath.Clean(directory)
	return clean == folder || strings.HasPrefix(clean, folder+"/")
}
