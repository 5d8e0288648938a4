"""What whoever runs this instance looks at."""
