package series

import "bytes"

// appendContainer appends the attributes in the fields c: and e:, which joinContainer has joined:
//
//	c:ci-<container ID> or c:in-<inode of its cgroup> or, from older clients, c:cid-<container ID> or c:<container ID>
//	e:it-<init container>,cn-<container name>,pu-<pod UID>
//
// Elements of other kinds and elements with invalid values are skipped. If a kind occurs twice, the last element counts. A pod UID
// from a tag replaces the one in e:. If no element remains, key is returned unchanged.
//
// https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/ (protocol v1.2, v1.4, v1.5)
func appendContainer(key, fields, pod []byte) []byte {
	local, external, _ := bytes.Cut(fields, []byte{'|'})
	var id, inode, name, uid []byte
	for element := range bytes.SplitSeq(local, []byte{','}) {
		switch prefix, rest := cutPrefix(element); prefix {
		case "ci-":
			keepText(&id, rest)
		case "in-":
			if isNumber(rest) {
				inode = rest
			}
		default:
			element = bytes.TrimPrefix(element, []byte("cid-"))
			if isContainerID(element) {
				id = element
			}
		}
	}
	for element := range bytes.SplitSeq(external, []byte{','}) {
		switch prefix, rest := cutPrefix(element); prefix {
		case "cn-":
			keepText(&name, rest)
		case "pu-":
			keepText(&uid, rest)
		}
	}
	if len(pod) > 0 {
		uid = pod
	}
	for _, a := range [...]rawTag{
		{[]byte(containerID), id}, {[]byte(cgroupInode), inode}, {[]byte(containerName), name}, {[]byte(podUID), uid},
	} {
		if len(a.value) > 0 {
			key = appendTag(key, a)
		}
	}
	return key
}

// cutPrefix splits off the three bytes that name the kind of an element.
func cutPrefix(element []byte) (prefix string, rest []byte) {
	if len(element) < 3 {
		return "", element
	}
	return string(element[:3]), element[3:]
}

// keepText sets *to to b if b is printable ASCII without spaces, as all container IDs and Kubernetes names are.
func keepText(to *[]byte, b []byte) {
	for _, c := range b {
		if c <= ' ' || c > '~' {
			return
		}
	}
	if len(b) > 0 {
		*to = b
	}
}

// isNumber reports whether b looks like an inode: 1 to 20 digits, as many as a uint64 has.
func isNumber(b []byte) bool {
	for _, c := range b {
		if c-'0' > 9 {
			return false
		}
	}
	return 0 < len(b) && len(b) <= 20
}

// leastID is the length of the shortest container ID without a prefix, Docker's short form. Older clients write 64
// hexadecimal digits, on ECS 32 digits and a number, on Garden a UUID.
const leastID = 12

func isContainerID(b []byte) bool {
	return len(b) >= leastID && b[0] != '-' && b[0] != '_' && len(bytes.Trim(b, "0123456789abcdef-_")) == 0
}
