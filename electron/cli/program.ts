import { Argument, Command, Option } from 'commander';
import { TASK_STATES } from '../../shared/job.ts';
import type { Add, Run } from './commands.ts';
import { EXIT, EXIT_DESCRIPTIONS } from './exit-codes.ts';
import { SETTINGS, type Setting } from './settings-table.ts';
import { addTrustCommands } from './trust-program.ts';

/** The whole command line as commander's tree; completions and the guide's tables are made from it. */
export function createProgram(version: string, run: Run): Command {
  const program = new Command('lanyard')
    .description('Turns the machines of a local network into one render and build farm.')
    .version(version, '-V, --version', 'print the version')
    .option('--json', 'print JSON: the shapes of the HTTP API; a value a line for streams')
    .option('--url <url>', 'the coordinator (LANYARD_URL; else the one of the data folder)')
    .option('--token <token>', 'the token for it (LANYARD_TOKEN; else the one of the data folder)')
    .option('--data <folder>', "the data folder (LANYARD_DATA; else the platform's usual place)")
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', `\n${exitCodesText()}`);
  const add: Add = (usage, description, load, parent = program) => {
    const command: Command = parent.command(usage).description(description).helpCommand(false);
    return command.action(() => run(load, command));
  };
  addFarmCommands(program, add);
  addTrustCommands(add);
  addNetworkCommands(add);
  addJobCommands(add);
  addTemplateCommands(add);
  addNodeCommands(add);
  return program;
}

function addFarmCommands(program: Command, add: Add): void {
  const up = add('up', 'run a coordinator, a worker, or both on this machine until Ctrl-C', async () => (await import('./up.ts')).up)
    .addOption(new Option('--only <part>', 'run only this part').choices(['coordinator', 'worker']))
    .option('--join <invite>', 'join the farm of this invite first (LANYARD_INVITE)')
    .addOption(new Option('--log-level <level>', 'least that is logged').choices(['debug', 'info', 'warn', 'error']));
  for (const option of settingOptions()) up.addOption(option);
  add('demo', 'start a small farm here, render an animation on it, and clean up', async () => (await import('./demo.ts')).demo)
    .option('--out <folder>', 'where frames and contact sheet go', 'lanyard-demo')
    .option('--frames <range>', 'frames of the loop of 24 to render', '1-24')
    .option('--size <size>', 'width and height of a frame', '320x180')
    .option('--samples <number>', 'samples a pixel', '49');
  add('dashboard', 'print the link that opens the dashboard in a browser', async () => (await import('./dashboard.ts')).dashboard)
    .option('--serve', 'of a coordinator elsewhere: serve it to browsers of this machine until Ctrl-C')
    .option('--port <port>', 'where to serve it; 0: a free one', '0');
  add('events', 'show what changes on the farm', async () => (await import('./event-commands.ts')).events);
  add('backup', 'write a consistent copy of the database into the data folder', async () => (await import('./change-commands.ts')).backup);
  add('completion', 'print a completion script for a shell', async () => {
    const { completionScript, completionTree } = await import('./completion.ts');
    return async (context, [shell = '']) => {
      await context.terminal.write(completionScript(completionTree(program), shell));
      return EXIT.ok;
    };
  }).addArgument(program.createArgument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']));
}

function addNetworkCommands(add: Add): void {
  add(
    'discover',
    'list the farms and nodes that announce themselves on the local network',
    async () => (await import('./discover.ts')).discover,
  );
  add(
    'doctor',
    'look for what keeps this machine from working in a farm, and say what to do',
    async () => (await import('./doctor.ts')).doctor,
  );
}

function addJobCommands(add: Add): void {
  addSubmit(add);
  const states = () => new Option('--state <states>', `only these, comma-separated: ${TASK_STATES.join(', ')}`);
  const page = (command: Command) =>
    command.option('--limit <number>', 'how many', '100').option('--offset <number>', 'after how many', '0');
  page(add('jobs', 'list jobs', async () => (await import('./job-commands.ts')).jobs).addOption(states()))
    .option('--owner <name>', 'only of this owner')
    .option('--search <text>', 'only with this in the name')
    .addOption(new Option('--order <order>', 'which first').choices(['newest', 'oldest', 'priority']).default('newest'));
  add('job <job>', 'show one job', async () => (await import('./job-commands.ts')).job);
  page(add('tasks <job>', 'list the tasks of a job', async () => (await import('./job-commands.ts')).tasks).addOption(states()));
  add(
    'task <task>',
    'show one task (12.0) with its attempts, and the CPU time and memory that each has used',
    async () => (await import('./task-command.ts')).task,
  );
  add(
    'explain <id>',
    'say why a job (12) or a task (12.0) waits or failed, or why a node takes no more, and what would help',
    async () => (await import('./job-commands.ts')).explain,
  );
  add('logs <id>', 'print the log of a job (12), a task (12.0) or an attempt (12.0.1)', async () => (await import('./log-command.ts')).logs)
    .option('-f, --follow', 'go on as it grows, until it has ended')
    .option('--raw', 'leave control characters in, on a terminal too')
    .addOption(new Option('--stream <stream>', 'only this one').choices(['stdout', 'stderr', 'system']));
  add('outputs <job>', 'list the files a job has produced', async () => (await import('./output-command.ts')).outputs).option(
    '--save <folder>',
    'download them all into this folder',
  );
  const changes = () => import('./change-commands.ts');
  add('cancel <ids...>', 'cancel jobs (12) or tasks (12.0)', async () => (await changes()).cancel);
  add('retry <jobs...>', 'run again what failed, timed out or was cancelled', async () => (await changes()).retry);
  add(
    'canary <job>',
    'show what the first tasks of a job needed, and what is proposed for the others',
    async () => (await import('./canary-commands.ts')).canary,
  );
  add(
    'approve-canary <job>',
    'let the rest of a job run after its canary',
    async () => (await import('./canary-commands.ts')).approveCanary,
  )
    .option('--cpu <cores>', 'CPU cores a task, instead of what is proposed')
    .option('--ram <size>', 'memory a task')
    .option('--timeout <duration>', 'longest run of one attempt')
    .option('--as-asked', 'what the job asked for when it was submitted');
  add('hold <jobs...>', 'place nothing more of these jobs', async () => (await changes()).hold);
  add('release <jobs...>', 'let held jobs go on', async () => (await changes()).release);
  add('priority <job> <priority>', 'change the priority, 0 to 100', async () => (await changes()).priority);
  add('bump <jobs...>', "put jobs before their owner's others of the same priority", async () => (await changes()).bump);
  add('move <job>', "give a job another place among its owner's of the same priority", async () => (await changes()).move)
    .option('--before <job>', 'just before this one')
    .option('--last', 'behind all others');
  add(
    'remove <ids...>',
    'remove ended jobs (12) with their logs and outputs, or devices (by name or id) from the farm',
    async () => (await changes()).remove,
  );
}

function addTemplateCommands(add: Add): void {
  const commands = () => import('./template-commands.ts');
  add('templates [template]', 'list the templates of jobs, or show the fields of one', async () => (await commands()).templates);
  add('add-template <file>', 'put a template into the farm, called after its file', async () => (await commands()).addTemplate);
  add('remove-template <template>', 'take a template out of the farm', async () => (await commands()).removeTemplate);
}

function addSubmit(add: Add): void {
  add(
    'submit [input]',
    'submit a zip, a folder, a job description (.json), or just a command',
    async () => (await import('./submit.ts')).submit,
  )
    .usage('[options] [input] [-- command arguments...]')
    .option('--template <template>', 'make the job from a template: its name, or a file; see `lanyard templates`')
    .option('--set <field=value>', 'value of a field of the template (repeat)', collect)
    .option('--preset <name>', 'values that the template has ready')
    .option('--name <name>', 'name of the job')
    .option('--command <line>', 'what to run, as a shell line')
    .option('--image <image>', 'container image')
    .option('--host', 'run without a container, where the owner of the machine allows it')
    .option('--workdir <folder>', 'folder inside the input to start in')
    .option('--output <glob>', 'files to keep (repeat)', collect)
    .option('--env <name=value>', 'environment variable (repeat)', collect)
    .option('--frames <range>', 'a task for every frame: 1-240, 1-240x2, 1,5,9-12')
    .option('--chunk <number>', 'frames a task')
    .option('--count <number>', 'as many tasks, with {index} from 0')
    .option('--matrix <name=values>', 'a task for every combination: size=1,2,3 (repeat)', collect)
    .option('--exclude <name=value,...>', 'leave these combinations out (repeat)', collect)
    .option('--cpu <cores>', 'CPU cores a task')
    .option('--ram <size>', 'memory a task: 512m, 2g')
    .option('--gpus <number>', 'GPUs a task')
    .option('--gpu-ram <size>', 'memory each GPU must have')
    .option('--gpu-model <text>', 'a part of the name that each GPU must have: "RTX 4090"')
    .option('--disk <size>', 'free disk space')
    .option('--label <label>', 'label a node must carry: name or name=value (repeat)', collect)
    .option('--where <condition>', 'a condition on labels: os == linux && room != "3b"')
    .option('--prefer <condition>', 'nodes that meet it are taken first (repeat)', collect)
    .option('--zone <zone>', 'the only zone that may run it')
    .addOption(new Option('--zones <how>', 'keep its tasks in one zone, or spread them').choices(['together', 'apart']))
    .option('--exclusive', 'nothing else on the node meanwhile')
    .option('--limit <name=number>', 'farm-wide counter a task holds, such as a licence (repeat)', collect)
    .option('--priority <number>', '0 to 100')
    .option('--max-tasks <number>', 'most of its tasks that run at once')
    .option('--after <jobs>', 'jobs that must be complete first (repeat, or comma-separated)', collect)
    .option('--after-any <jobs>', 'jobs that must have ended first, in whatever way', collect)
    .option('--after-tasks <jobs>', 'jobs split alike: task N goes after their task N', collect)
    .option('--inputs-from <jobs>', 'of those, jobs whose outputs are laid over the input', collect)
    .option('--timeout <duration>', 'longest run of one attempt: 90s, 30m, 1h')
    .option('--retries <number>', 'retries of a task that fails')
    .option('--stop-after <number>', 'failed attempts with nothing complete after which the job is stopped; 0: never')
    .option('--network', 'a network for the container, where the owner of the machine allows it')
    .option('--preemptible', 'may be interrupted for more urgent jobs')
    .addOption(
      new Option(
        '--canary [how]',
        'run the first, middle and last task first to learn what they need; then go on, or wait for approval',
      ).choices(['automatic', 'by-hand']),
    )
    .option('--from-file <file>', 'submit a job for each line of a file, a description as JSON; -: of the standard input')
    .option('--wait', 'wait until it has ended, showing how far it is')
    .option('--wait-timeout <duration>', 'wait at most this long (implies --wait)')
    .option('--download <folder>', 'save its outputs here in the end (implies --wait)');
}

function addNodeCommands(add: Add): void {
  const commands = () => import('./node-commands.ts');
  add('nodes', 'list nodes', async () => (await commands()).nodes);
  add(
    'pause <nodes...>',
    'place nothing more on nodes until they are resumed; what runs there goes on',
    async () => (await commands()).pause,
  );
  add('drain <nodes...>', 'take nodes out of service: what runs there ends, nothing more is placed', async () => (await commands()).drain);
  add('resume <nodes...>', 'let paused or draining nodes work again', async () => (await commands()).resume);
  add(
    'owner',
    'pause or resume the worker of this machine as its owner, whatever the farm says',
    async () => (await import('./owner-commands.ts')).owner,
  )
    .addArgument(new Argument('[action]', 'what to do; nothing: say how it stands').choices(['pause', 'resume']))
    .option('--for <duration>', 'with pause: how long');
  add('owners', 'list who has had how much of the farm lately, and who goes first', async () => (await commands()).owners);
  add(
    'receipts',
    'show what ran on this machine, for whom and for how long',
    async () => (await import('./owner-commands.ts')).receipts,
  ).option('--limit <number>', 'how many, newest first', '100');
  add('forget <nodes...>', 'remove nodes from the list; what they run goes back to the queue', async () => (await commands()).forget);
}

function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** A flag for every setting; both forms of switches, so that the command line can overrule the other sources either way. */
function settingOptions(): Option[] {
  const once = SETTINGS.filter((setting, at) => SETTINGS.findIndex((other) => other.flag === setting.flag) === at);
  return once.flatMap((setting) => {
    const { flag, kind, description } = setting;
    if (kind === 'switch') {
      const [yes, no] = [new Option(`--${flag}`, description), new Option(`--no-${flag}`, `do not ${description}`)];
      return [yes.hideHelp(setting.fallback === true), no.hideHelp(setting.fallback !== true)];
    }
    const option = new Option(`--${flag} <${PLACEHOLDERS[kind]}>`, `${description}${fallbackText(setting)}`);
    return [kind === 'list' || kind === 'map' ? option.argParser(collect) : option];
  });
}

const PLACEHOLDERS: Readonly<Record<Setting['kind'], string>> = {
  text: 'text',
  number: 'number',
  switch: '',
  duration: 'duration',
  mebibytes: 'size',
  bytes: 'size',
  list: 'value',
  map: 'name=value',
};

/** @returns for example ` [7420]`; nothing where the description says it */
export function fallbackText({ fallback }: Setting): string {
  const simple = typeof fallback === 'number' || (typeof fallback === 'string' && fallback !== '');
  return simple ? ` [${fallback}]` : '';
}

function exitCodesText(): string {
  const lines = Object.entries(EXIT).map(
    ([name, code]) => `  ${String(code).padStart(3)}  ${EXIT_DESCRIPTIONS[name as keyof typeof EXIT]}`,
  );
  return `Exit codes:\n${lines.join('\n')}\n\nThe guide: docs/user-guide.md`;
}
