//! Linear probes.
