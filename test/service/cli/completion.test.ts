import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { commandFile } from '../../command-line.ts';

/** Completes a line as the shell does when somebody presses Tab. `$1`: the script, `$2`: the line. */
const shells = {
  bash: {
    args: ['--norc', '--noprofile', '-c'],
    // Twice, because a new shell may source again what its parent has.
    program: `source "$1" && source "$1"
[[ $(complete -p firebreak) == *'-o default'* ]] && by_default=yes
compopt() { [ "$*" != '+o default' ] || by_default=; }
COMP_LINE=$2 COMP_POINT=\${#2}
_firebreak
printf '%s\\n' "\${COMPREPLY[@]}"
[ -z "$by_default" ] || compgen -f -- "\${2##*[ =]}" || true`,
  },
  zsh: {
    args: ['-f', '-c'],
    program: `zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1= PS2=; unsetopt prompt_cr prompt_sp; bindkey '^I' complete-word
autoload -Uz compinit; compinit -u -D; source $1
compadd() { local -a hits; builtin compadd -O hits \\"\\$@\\"; [[ \\\${@[1,(i)(-|--)]} == *-[OAD]\\ * ]] || { (( \\$#hits )) && printf '<%s>' \\"\\\${hits[@]}\\" }; builtin compadd \\"\\$@\\" }
comppostfuncs=(over); over() { print -n '<end>'; exit }
print rea''dy"
while zpty -r shell out && [[ $out != *ready* ]]; do :; done
zpty -w -n shell "$2"$'\\t'
while zpty -r shell out; do all+=$out; [[ $all == *'<end>'* ]] && break; done
zpty -d shell
for one in \${(M)\${(f)\${all//</$'\\n'<}}:#<*>}; do [[ $one == '<end>' ]] || print -r -- \${\${one#<}%>}; done`,
  },
  fish: {
    args: ['--no-config', '-c'],
    program: `source $argv[2]; complete -C "$argv[3]"`,
  },
} as const;
type Shell = keyof typeof shells;

let folder = '';
const env = (): NodeJS.ProcessEnv => ({ PATH: `${join(folder, 'bin')}:${process.env.PATH}`, HOME: folder, TERM: 'dumb' });

function ran(command: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, env: env(), encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'firebreak-completion-'));
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const start = `#!/bin/sh\nexec '${process.execPath}' --disable-warning=ExperimentalWarning '${commandFile()}' "$@"\n`;
  writeFileSync(join(bin, 'firebreak'), start, { mode: 0o755 });
  writeFileSync(join(folder, 'alerts-of-today.jsonl'), '');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

for (const shell of Object.keys(shells) as Shell[]) {
  const isThere = spawnSync(shell, ['-c', 'exit']).status === 0;
  (isThere ? test : test.skip)(
    `${shell}${isThere ? '' : ' (skipped: it is not installed)'} offers commands, subcommands, options, their values, and files where one belongs`,
    () => {
      const script = join(folder, `completion.${shell}`);
      writeFileSync(script, ran('firebreak', ['completion', shell]));
      const { args, program } = shells[shell];
      const offered = (line: string): readonly string[] =>
        ran(shell, [...args, program, shell, script, line])
          .split(/\r?\n/)
          .flatMap((offer) => (offer === '' ? [] : [(offer.split('\t')[0] ?? '').replace(/^--\w+=/, '')]))
          .sort();
      expect(offered('firebreak inc')).toEqual(['incidents']);
      expect(offered('firebreak lease ')).toEqual(['extend', 'help', 'keep', 'release']);
      expect(offered('firebreak incidents list --nam')).toEqual(['--namespace']);
      expect(offered('firebreak incidents list --severity ')).toEqual(['critical', 'high', 'info', 'low', 'medium', 'unknown']);
      expect(offered('firebreak incidents list --severity=c')).toEqual(['critical']);
      for (const line of ['list --config alerts-of', 'list --config=alerts-of'])
        expect(offered(`firebreak incidents ${line}`)).toEqual(['alerts-of-today.jsonl']);
      expect(offered('firebreak alerts parse alerts-of')).toEqual(['alerts-of-today.jsonl']);
      expect(offered('firebreak why $(touch run-by-a-tab) ')).toEqual([]);
      expect(offered('firebreak incidents show ')).toEqual([]);
      expect(existsSync(join(folder, 'run-by-a-tab'))).toBe(false);
    },
  );
}
