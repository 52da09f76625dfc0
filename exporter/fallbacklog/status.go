package fallbacklog

import (
	"fmt"
	"maps"
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"
)

// attach makes an instance's host hear of the component's status, until detach.
func (c *core) attach(instance any, host component.Host) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hosts[instance] = host
}

func (c *core) detach(instance any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.hosts, instance)
}

func (c *core) report(e *componentstatus.Event) {
	c.mu.Lock()
	hosts := slices.Collect(maps.Values(c.hosts))
	c.mu.Unlock()
	for _, h := range hosts {
		componentstatus.ReportStatus(h, e)
	}
}

// checkRoom reports at Start what the log would refuse: the file system has no room for it. The start goes on, since a
// downstream that takes everything needs no disk, and a log that has filled it needs to drain.
func (c *core) checkRoom() {
	if err := c.room(); err != nil {
		c.cramped.Store(true)
		c.logger.Warn("nothing can be logged until there is more room on the disk", zap.Error(err))
		c.report(componentstatus.NewRecoverableErrorEvent(err))
	}
}

// roomAgain takes that report back once there is room. One atomic load otherwise.
func (c *core) roomAgain() {
	if !c.cramped.Load() || c.room() != nil || !c.cramped.CompareAndSwap(true, false) {
		return
	}
	c.logger.Info("there is room on the disk for the log")
	if !c.group.Degraded() {
		c.report(componentstatus.NewEvent(componentstatus.StatusOK))
	}
}

// room says why the file system has no room for a record.
func (c *core) room() error {
	need := c.cfg.Log.MinFreeDiskMiB
	if need == 0 {
		return nil
	}
	free, err := c.fs.Free(c.root)
	if err != nil {
		return fmt.Errorf("measure the free disk space: %w", err)
	}
	if free > need*mib {
		return nil
	}
	return fmt.Errorf("log::min_free_disk_mib: must be less than what is free on the file system of %s, %d MiB (got %d)",
		c.root, free/mib, need)
}
