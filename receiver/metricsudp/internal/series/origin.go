package series

import (
	"bytes"
	"net/netip"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// OriginMode is the property of senders by which series are separated, in addition to name, kind and tags.
type OriginMode uint8

// The modes.
const (
	OriginNone      OriginMode = iota
	OriginIP                   // the sender's address, never its port
	OriginContainer            // the container in the fields c: and e: of the line
)

// Attributes of origins. All except the inode's are names of the semantic conventions.
//
// https://opentelemetry.io/docs/specs/semconv/registry/attributes/
const (
	clientAddress = "client.address"
	containerID   = "container.id"
	containerName = "k8s.container.name"
	podUID        = "k8s.pod.uid"
	cgroupInode   = "dogstatsd.cgroup.inode" // no convention has a name for it
)

// Origin identifies the sender of series. Its attributes become resource attributes of their points. Overflow series and series
// of lines without an origin share one Origin, which has no attributes.
type Origin struct {
	Addr netip.Addr // the sender's address with OriginIP; never IPv4-mapped, without a zone

	key    string // for each attribute its key, keyEnd, its value and tagEnd
	series int    // number of series with this origin; Registry.mu guards it
}

// Attributes calls yield for each attribute.
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

// originBytes is the memory of an origin: the struct, its entry in the map at the map's least load, and its key.
func originBytes(key int) int { return 48 + 2*(16+8) + key }

// maxOriginField is the longest field c: or e: that is used as an origin, in bytes. A container ID has 64 bytes; external data
// with the longest names of Kubernetes has 115. The length of both fields with the separator fits into one byte of an alias.
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
	default: // the socket's senders have no addresses
		t.address = nil
	}
}

// setContainer sets the line's origin to its fields c: and e:. It does not parse them, because aliases contain their bytes.
func (p *pendingLine) setContainer() {
	l := &p.line
	if l.Origin = joinContainer(p.origin[:0], l.Container, l.External); l.Origin != nil {
		p.origin = l.Origin
	}
}

// joinContainer appends both fields with a bar between them to a buffer. It leaves out a field that is too long, and returns nil
// if nothing remains.
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

// Datadog clients add these tags if they know the UID of their pod. The Agent removes them. The second tag asks the Agent for
// tags, like the field card:, and has no effect here.
const (
	internalPrefix   = "dd.internal."
	internalEntity   = internalPrefix + "entity_id"
	internalCard     = internalPrefix + "card"
	entityWithoutPod = "none" // the client wants no origin
)

// isOriginTag reports whether a tag describes the line's origin. If the tag contains a pod UID, isOriginTag sets *pod to it.
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

// canonicalOrigin returns the identity of the line's origin: its attributes.
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

// releaseOrigin subtracts one series from an origin and removes the origin with its last series. The origin without attributes
// is never removed.
func (r *Registry) releaseOrigin(o *Origin) {
	if o.series--; o.series == 0 && o.key != "" {
		delete(r.origins, o.key)
		r.budget.Release(originBytes(len(o.key)))
	}
}

// OriginFields are the fields of an event or a service check that describe its origin.
type OriginFields struct {
	Container []byte // the field c:
	External  []byte // the field e:
	Entity    []byte // the pod UID in a tag
}

// KeepTag reports whether a tag describes the origin. It keeps the tag's pod UID in Entity.
func (o *OriginFields) KeepTag(key, value []byte) bool { return isOriginTag(&o.Entity, key, value) }

// Attributes returns the attributes of the origin of an event or a service check.
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
