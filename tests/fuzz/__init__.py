"""A seeded fuzzer of the API: random calls, and objects that behave badly."""
