"""What ``sipua doctor`` examines: one module for each part of the way from a name to a call."""
