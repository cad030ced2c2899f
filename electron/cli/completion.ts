import type { Command } from 'commander';
import { LanyardError } from '../../shared/errors.ts';

/** What a shell completes, read from the commands themselves. */
export interface CompletionTree {
  readonly name: string;
  readonly options: readonly CompletionOption[];
  readonly commands: readonly CompletionCommand[];
}

export interface CompletionCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly CompletionOption[];
  /** What its operand may be, where that is known beforehand: its subcommands too. */
  readonly choices: readonly string[];
}

export interface CompletionOption {
  readonly flags: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export function completionTree(program: Command): CompletionTree {
  return {
    name: program.name(),
    options: optionsOf(program),
    commands: program
      .createHelp()
      .visibleCommands(program)
      .map((command) => ({
        name: command.name(),
        description: command.description(),
        options: withSubcommands(command).flatMap(optionsOf).filter(isFirst),
        choices: [
          ...command.commands.map((subcommand) => subcommand.name()),
          ...command.registeredArguments.flatMap((argument) => argument.argChoices ?? []),
        ],
      })),
  };
}

/** What follows a subcommand's name is offered after its parent's too: a shell's script stays simple, and the command says what does not fit. */
function withSubcommands(command: Command): readonly Command[] {
  return [command, ...command.commands];
}

function isFirst(option: CompletionOption, at: number, all: readonly CompletionOption[]): boolean {
  return all.findIndex(({ flags }) => flags.join() === option.flags.join()) === at;
}

function optionsOf(command: Command): CompletionOption[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .map((option) => ({
      flags: [option.short, option.long].filter((flag) => flag !== undefined),
      description: option.description,
      takesValue: option.required || option.optional,
      choices: option.argChoices ?? [],
    }));
}

/** @returns a script for the shell to source */
export function completionScript(tree: CompletionTree, shell: string): string {
  switch (shell) {
    case 'bash':
      return bashScript(tree);
    case 'zsh':
      return zshScript(tree);
    case 'fish':
      return fishScript(tree);
    default:
      throw new LanyardError({ code: 'INVALID', message: `"${shell}" is no shell this knows; expected ${SHELLS.join(', ')}` });
  }
}

/** Names come from this program's own source: letters, digits and dashes. Anything else would need quoting. */
function word(text: string): string {
  if (!/^[\w-]+$/.test(text)) throw new Error(`"${text}" cannot stand in a completion script`);
  return text;
}

const words = (list: readonly string[]) => list.map(word).join(' ');
const flagsOf = (options: readonly CompletionOption[]) => options.flatMap((option) => option.flags);

function bashScript(tree: CompletionTree): string {
  const valueFlags = [...tree.options, ...tree.commands.flatMap((command) => command.options)].filter((option) => option.takesValue);
  const plainValues = flagsOf(valueFlags.filter((option) => option.choices.length === 0));
  const choices = new Map(
    valueFlags.filter((option) => option.choices.length > 0).flatMap((option) => option.flags.map((flag) => [flag, option.choices])),
  );
  return `# Completion of ${tree.name} for bash: source <(${tree.name} completion bash)
_${word(tree.name)}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command='' at skip=''
  COMPREPLY=()
  for ((at = 1; at < COMP_CWORD; at++)); do
    if [[ -n $skip ]]; then skip=''; continue; fi
    case "\${COMP_WORDS[at]}" in
      --) compopt -o default 2> /dev/null; return ;;
      ${flagsOf(tree.options.filter((option) => option.takesValue))
        .map(word)
        .join('|')}) skip=1 ;;
      -*) ;;
      *) command="\${COMP_WORDS[at]}"; break ;;
    esac
  done
  case "$previous" in
${[...choices].map(([flag, list]) => `    ${word(flag)}) COMPREPLY=($(compgen -W '${words(list)}' -- "$current")); return ;;`).join('\n')}
    ${[...new Set(plainValues)].map(word).join('|')}) compopt -o default 2> /dev/null; return ;;
  esac
  local options='${words(flagsOf(tree.options))}' operands=''
  case "$command" in
    '') operands='${words(tree.commands.map((command) => command.name))}' ;;
${tree.commands.map((command) => `    ${word(command.name)}) options+=' ${words(flagsOf(command.options))}'; operands='${words(command.choices)}' ;;`).join('\n')}
  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  elif [[ -n $operands ]]; then
    COMPREPLY=($(compgen -W "$operands" -- "$current"))
  else
    compopt -o default 2> /dev/null
  fi
}
complete -F _${word(tree.name)} ${word(tree.name)}
`;
}

/** In single quotes for zsh and fish; descriptions are prose. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', '').replaceAll("'", '’')}'`;
}

function zshScript(tree: CompletionTree): string {
  const spec = (option: CompletionOption) => {
    const description = option.description.replace(/[[\]:]/g, ' ');
    const value = !option.takesValue ? '' : option.choices.length > 0 ? `:value:(${words(option.choices)})` : ':value:_files';
    return option.flags.map((flag) => quoted(`*${word(flag)}[${description}]${value}`)).join(' ');
  };
  const operand = (command: CompletionCommand) =>
    command.choices.length > 0 ? `'*:operand:(${words(command.choices)})'` : `'*:operand:_files'`;
  return `#compdef ${word(tree.name)}
# Completion of ${tree.name} for zsh: put it as _${tree.name} into a folder of your fpath, or source it after compinit.
_${word(tree.name)}() {
  local context state state_descr line
  typeset -A opt_args
  local -a commands globals
  commands=(
${tree.commands.map((command) => `    ${quoted(`${word(command.name)}:${command.description.replaceAll(':', ' ')}`)}`).join('\n')}
  )
  globals=(${tree.options.map(spec).join(' ')})
  _arguments -C $globals '1:command:->command' '*::operand:->operand'
  case $state in
    command) _describe command commands ;;
    operand)
      case $words[1] in
${tree.commands.map((command) => `        ${word(command.name)}) _arguments $globals ${command.options.map(spec).join(' ')} ${operand(command)} ;;`).join('\n')}
      esac ;;
  esac
}
if [[ $funcstack[1] == _${word(tree.name)} ]]; then _${word(tree.name)} "$@"; else compdef _${word(tree.name)} ${word(tree.name)}; fi
`;
}

function fishScript(tree: CompletionTree): string {
  const names = words(tree.commands.map((command) => command.name));
  const line = (condition: string, option: CompletionOption) => {
    const flags = option.flags.map((flag) => (flag.startsWith('--') ? `-l ${word(flag.slice(2))}` : `-s ${word(flag.slice(1))}`)).join(' ');
    const value = !option.takesValue ? '' : option.choices.length > 0 ? ` -x -a '${words(option.choices)}'` : ' -r';
    return `complete -c ${word(tree.name)}${condition} ${flags}${value} -d ${quoted(option.description)}`;
  };
  return [
    `# Completion of ${tree.name} for fish: ${tree.name} completion fish > ~/.config/fish/completions/${tree.name}.fish`,
    ...tree.options.map((option) => line('', option)),
    ...tree.commands.flatMap((command) => {
      const within = ` -n '__fish_seen_subcommand_from ${word(command.name)}'`;
      return [
        `complete -c ${tree.name} -f -n 'not __fish_seen_subcommand_from ${names}' -a ${word(command.name)} -d ${quoted(command.description)}`,
        ...(command.choices.length > 0 ? [`complete -c ${tree.name}${within} -f -a '${words(command.choices)}'`] : []),
        ...command.options.map((option) => line(within, option)),
      ];
    }),
    '',
  ].join('\n');
}
