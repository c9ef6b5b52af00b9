"""An oracle of the guard, written from `deploy/handbook/kernel.md` alone; a test runs it beside the C."""
