//! Registry, model lifecycle, device queues, deadlines, statistics.
