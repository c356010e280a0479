"""What is looked at by `fairgate doctor`: each check is a function that gives one finding."""
