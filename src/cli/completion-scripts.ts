/*
 * What a shell sources to complete words. Each asks `lading __complete WORD... CURRENT`, which answers in lines of
 * `value<TAB>meaning`, or with `:files` or `:folders` for what the shell knows best.
 */

/** The words of a name with a colon are one word for us, and several for bash. */
const BASH = `# bash completion for lading: source <(lading completion bash)
_lading() {
  local cur words cword
  if declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref -n : cur words cword
  else
    local line="\${COMP_LINE:0:COMP_POINT}"
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=('')
    cword=$((\${#words[@]} - 1))
    cur="\${words[cword]}"
  fi
  local found=() answer
  mapfile -t found < <("\${words[0]}" __complete "\${words[@]:1:cword-1}" "$cur" 2>/dev/null)
  COMPREPLY=()
  for answer in "\${found[@]}"; do
    case "$answer" in
      :files) compopt -o filenames 2>/dev/null && mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
      :folders) compopt -o filenames 2>/dev/null && mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
      *) COMPREPLY+=("\${answer%%$'\\t'*}") ;;
    esac
  done
  # Readline takes only what stands behind the last colon for the word.
  if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
    local start="\${cur%"\${cur##*:}"}" at
    for at in "\${!COMPREPLY[@]}"; do COMPREPLY[at]="\${COMPREPLY[at]#"$start"}"; done
  fi
}
complete -F _lading lading
`;

const ZSH = `#compdef lading
# zsh completion for lading: source <(lading completion zsh), after compinit
_lading() {
  local -a found values meanings
  local answer
  found=("\${(@f)$("\${words[1]}" __complete "\${(@)words[2,CURRENT-1]}" "\${words[CURRENT]}" 2>/dev/null)}")
  for answer in $found; do
    case "$answer" in
      :files) _files ;;
      :folders) _files -/ ;;
      *)
        values+=("\${answer%%$'\\t'*}")
        meanings+=("\${answer//$'\\t'/  -- }")
        ;;
    esac
  done
  (( \${#values} )) && compadd -Q -l -d meanings -- "\${values[@]}"
}
compdef _lading lading
`;

const FISH = `# fish completion for lading: lading completion fish | source
function __lading_complete
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    set -l current (commandline -ct)
    for answer in ($program __complete $words "$current" 2>/dev/null)
        switch $answer
            case ':files'
                __fish_complete_path "$current"
            case ':folders'
                __fish_complete_directories "$current" ''
            case '*'
                printf '%s\\n' $answer
        end
    end
end
complete -c lading -f -a '(__lading_complete)'
`;

/** The script for each shell. */
export const COMPLETION_SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, fish: FISH, zsh: ZSH };
