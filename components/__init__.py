"""stormsight: buildings from radar, taught by optical imagery, adapted, proven and gated."""
