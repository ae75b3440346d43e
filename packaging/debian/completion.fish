# Completion of srvd's command line in fish: always that of the program which is installed.
srvd completions fish | source
