"""From a claimed line to saved files."""
