/**
 * The scripts that shells source. Each runs `firebreak complete -- WORDS…`, which prints one line per value (value, tab, description), and as the last line
 * `:0` if a file is expected, otherwise another number. Nothing that was typed is evaluated. Works with Bash 3.2 or later, also without the package
 * `bash-completion`.
 */
export const completionScripts: Readonly<Record<string, string>> = {
  bash: String.raw`# bash completion for firebreak
_firebreak() {
  local line=${'$'}{COMP_LINE:0:COMP_POINT} offer files=
  local -a words
  read -ra words <<<"$line"
  case $line in *[[:space:]]) words+=('') ;; esac
  COMPREPLY=()
  while IFS= read -r offer; do
    case $offer in
      :0) files=yes ;;
      :*) ;;
      *) COMPREPLY+=("${'$'}{offer%%$'\t'*}") ;;
    esac
  done < <(firebreak complete -- "${'$'}{words[@]:1}" 2>/dev/null)
  [ -n "$files" ] || compopt +o default 2>/dev/null
}
complete -o default -F _firebreak firebreak
`,
  zsh: String.raw`#compdef firebreak
# zsh completion for firebreak
_firebreak() {
  local offer
  local -a offers values
  offers=("${'$'}{(@f)$(firebreak complete -- "${'$'}{(@Q)words[2,CURRENT-1]}" "${'$'}{(Q)PREFIX}" 2>/dev/null)}")
  compset -P '--*='
  if [[ ${'$'}{offers[-1]} == :0 ]]; then
    _files
    return
  fi
  for offer in "${'$'}{(@)offers[1,-2]}"; do
    offer=${'$'}{offer/$'\t'/:}
    values+=("${'$'}{offer%:}")
  done
  _describe firebreak values
}
if [[ ${'$'}{funcstack[1]} == _firebreak ]]; then _firebreak; else compdef _firebreak firebreak; fi
`,
  fish: `# fish completion for firebreak
function __firebreak_offers
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l option (string match -r -- '^--[^=]*=' "$current")
    set -l offers (firebreak complete -- $words[2..-1] "$current" 2>/dev/null)
    if test "$offers[-1]" = :0
        set offers (__fish_complete_path (string replace -r -- '^--[^=]*=' '' "$current"))
    end
    for offer in (string match -v -r -- '^:' $offers)
        echo "$option$offer"
    end
end
complete -c firebreak -e
complete -c firebreak -f -a '(__firebreak_offers)'
`,
};
