package gatewaystate

// Source is a component that publishes its state.
type Source interface {
	// GatewayState returns the present state. It has one caller at a time, returns in less than a millisecond, and must
	// not call the registry. The caller owns what it returns.
	GatewayState() State
}

// Registry reads sources. The gateway page is one.
type Registry interface {
	// Register adds a source until unregister is called. When unregister returns, the source is not being read and will
	// not be read again.
	Register(Source) (unregister func())
	// KeepsExamples reports whether the page shows examples of label values, masked or plain.
	KeepsExamples() bool
}

// Registries are those of a host. The zero value has none.
type Registries []Registry

// Find returns the registries among a host's extensions.
func Find[K comparable, E any](extensions map[K]E) Registries {
	var found Registries
	for _, e := range extensions {
		if r, ok := any(e).(Registry); ok {
			found = append(found, r)
		}
	}
	return found
}

// Register adds a source to all registries until unregister is called.
func (r Registries) Register(s Source) (unregister func()) {
	all := make([]func(), len(r))
	for i := range r {
		all[i] = r[i].Register(s)
	}
	return func() {
		for _, leave := range all {
			leave()
		}
	}
}

// KeepsExamples reports whether one of the registries shows examples of label values.
func (r Registries) KeepsExamples() bool {
	for i := range r {
		if r[i].KeepsExamples() {
			return true
		}
	}
	return false
}
