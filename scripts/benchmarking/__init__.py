"""What is timed: fits, scores, memory, ALOCC's update, several devices."""
