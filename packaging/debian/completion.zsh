#compdef srvd
# Completion of srvd's command line in zsh: always that of the program which is installed.
eval "$(srvd completions zsh)"
_srvd "$@"
