package main

// version is the distribution's, of whose formats the command knows: TestVersion compares it with builder-config.yaml.
func version() string { return "0.1.0" }
