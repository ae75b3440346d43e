# Completion of srvd's command line in bash: always that of the program which is installed.
source <(srvd completions bash)
