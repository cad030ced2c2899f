/** @returns an entry for the autostart folder of a Linux desktop. https://specifications.freedesktop.org/autostart-spec/latest/ */
export function autostartEntry(command: readonly string[]): string {
  return [
    '[Desktop Entry]',
    'Type=Application',
    'Name=Lanyard',
    'Comment=Gives this machine to a render and build farm',
    `Exec=${command.map(quoteWord).join(' ')}`,
    'Terminal=false',
    'X-GNOME-Autostart-enabled=true',
    '',
  ].join('\n');
}

/** Desktop Entry Specification, "The Exec key": reserved characters stand in quotes, `%` is doubled, and the backslashes of a string too. */
function quoteWord(word: string): string {
  const quoted = word.replaceAll(/["`$\\]/g, (character) => `\\${character}`).replaceAll('\\', '\\\\');
  return `"${quoted.replaceAll('%', '%%')}"`;
}
