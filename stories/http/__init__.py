"""HTTP as a browser does it: sessions, transports, bounded bodies, and errors translated."""
