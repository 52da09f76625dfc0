package series

import (
	"bytes"
	"net/netip"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// OriginMode is what keeps series apart besides name, kind and tags.
type OriginMode uint8

// The modes.
const (
	OriginNone      OriginMode = iota
	OriginIP                   // the sender's address, never its port
	OriginContainer            // the container that a line names in the fields c: and e:
)

// Attributes of origins. All but the inode's are of the semantic conventions.
//
// https://opentelemetry.io/docs/specs/semconv/registry/attributes/
const (
	clientAddress = "client.address"
	containerID   = "container.id"
	containerName = "k8s.container.name"
	podUID        = "k8s.pod.uid"
	cgroupInode   = "dogstatsd.cgroup.inode" // no convention names it
)

// Origin is where series come from: the resource of their points. Overflow series
// and those of lines that tell no origin have one in common, without attributes.
type Origin struct {
	Addr netip.Addr // of OriginIP; never IPv4-mapped, without a zone

	key    string // of each attribute key, keyEnd, value and tagEnd
	series int    // that refer to it; Registry.mu
}

// Attributes calls yield for each.
func (o *Origin) Attributes(yield func(Tag) bool) { eachTag(o.key, yield) }

func newOrigin(key string) *Origin {
	o := &Origin{key: key}
	for tag := range o.Attributes {
		if tag.Key == clientAddress {
			o.Addr, _ = netip.ParseAddr(tag.Value)
		}
	}
	return o
}

// originBytes is what an origin takes: the struct, its place in the map at the least
// load, and its key.
func originBytes(key int) int { return 48 + 2*(16+8) + key }

// maxOriginField is the longest c: or e: field that tells an origin, in bytes. A
// container ID has 64; external data with the longest names of Kubernetes has 115.
// Both with what separates them have a length that fits an alias' byte.
const maxOriginField = 127

// setAddress makes the sender of a datagram the origin of its lines.
func (t *Table) setAddress(from netip.Addr) {
	switch from = from.Unmap(); {
	case from.Is4():
		a := from.As4()
		t.address = append(t.address[:0], a[:]...)
	case from.Is6():
		a := from.As16()
		t.address = append(t.address[:0], a[:]...)
	default: // a socket without addresses
		t.address = nil
	}
}

// setContainer makes what a line tells of its container its origin. It is not parsed
// here: aliases remember the bytes.
func (p *pending) setContainer() {
	l := &p.line
	if l.Origin = joinContainer(p.origin[:0], l.Container, l.External); l.Origin != nil {
		p.origin = l.Origin
	}
}

// joinContainer appends both fields with a bar between them to a buffer. It returns nil where both are empty or
// too long.
func joinContainer(to, local, external []byte) []byte {
	if len(local) > maxOriginField {
		local = nil
	}
	if len(external) > maxOriginField {
		external = nil
	}
	if len(local) == 0 && len(external) == 0 {
		return nil
	}
	return append(append(append(to, local...), '|'), external...)
}

// Tags that Datadog clients add, and the Agent removes, where they know their pod by its UID. The second one asks the
// Agent for tags, like the field card:, and has no effect.
const (
	internalPrefix   = "dd.internal."
	internalEntity   = internalPrefix + "entity_id"
	internalCard     = internalPrefix + "card"
	entityWithoutPod = "none" // the client wants no origin
)

// isOriginTag reports whether a tag is about the line's origin and keeps the pod that it names.
func isOriginTag(pod *[]byte, key, value []byte) bool {
	if !bytes.HasPrefix(key, []byte(internalPrefix)) {
		return false
	}
	switch string(key) {
	case internalEntity:
		if len(value) <= maxOriginField {
			keepText(pod, value)
		}
		return true
	case internalCard:
		return true
	}
	return false
}

// canonicalOrigin writes the identity of the line's origin: its attributes.
func (t *Table) canonicalOrigin(l *line.Line) []byte {
	t.originKey = t.originKey[:0]
	switch t.options.Origin {
	case OriginNone:
		return nil
	case OriginIP:
		if len(l.Origin) == 0 {
			return nil
		}
		addr, _ := netip.AddrFromSlice(l.Origin)
		t.originKey = append(append(t.originKey, clientAddress...), keyEnd)
		t.originKey = append(addr.AppendTo(t.originKey), tagEnd)
		return t.originKey
	}
	if string(t.entity) != entityWithoutPod {
		t.originKey = appendContainer(t.originKey, l.Origin, t.entity)
	}
	return t.originKey
}

// leave forgets an origin with its last series, but not the one of all others.
func (r *Registry) leave(o *Origin) {
	if o.series--; o.series == 0 && o.key != "" {
		delete(r.origins, o.key)
		r.budget.Release(originBytes(len(o.key)))
	}
}

// OriginFields are what a line that belongs to no series says of its origin.
type OriginFields struct {
	Container []byte // c:
	External  []byte // e:
	Entity    []byte // of a tag
}

// TakeTag reports whether a tag is about the origin and keeps the pod that it names.
func (o *OriginFields) TakeTag(key, value []byte) bool { return isOriginTag(&o.Entity, key, value) }

// Attributes returns the attributes of the origin of a line that belongs to no series.
func (m OriginMode) Attributes(from netip.Addr, o *OriginFields) (all []Tag) {
	switch m {
	case OriginIP:
		if from.IsValid() {
			all = append(all, Tag{clientAddress, from.Unmap().WithZone("").String()})
		}
	case OriginContainer:
		if string(o.Entity) == entityWithoutPod {
			return nil
		}
		key := appendContainer(nil, joinContainer(nil, o.Container, o.External), o.Entity)
		eachTag(string(key), func(tag Tag) bool {
			all = append(all, tag)
			return true
		})
	}
	return all
}
