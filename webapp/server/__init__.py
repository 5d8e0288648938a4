"""How requests arrive and answers leave: connections wait in a loop, only work holds a thread."""
