package main

// version returns the version of the distribution whose formats the command supports. TestVersion compares it with
// builder-config.yaml.
func version() string { return "0.1.0" }
