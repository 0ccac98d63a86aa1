/** The guide to these commands, `docs/commands.md`. */
export const commandsPage = (commands) => `# The commands

Generated from the commands by \`npm run commands\`. In a clone of the repository, \`understudy\` is \`npm start -s --\`.
\`understudy help COMMAND\`, or \`--help\` or \`-h\` after a command, prints its part of this page, and \`--version\` the version.

${table([
  ["command", "what it does"],
  ...commands.map(({ files, name, summary }) => [`[${line(name, files)}](#${anchor(name, files)})`, summary])
])}

Without FILE a command uses \`understudy.yaml\` in the current directory or, if there is none, the built-in sandbox policy, which
needs no network and no key. \`…\` means that there may be several. Flags may also precede the command, as in
\`understudy --json check\`.

## Exit codes

0 on success, and 1 otherwise. Then the last line on stderr is \`understudy: \`, the reason and usually a remedy; stdout has the
results so far, if any. For every command it is 1 if the command line is invalid, as with an unknown flag, and on SIGINT or
SIGTERM before the command is done; for \`serve\` these signals are the normal end. A second one of them ends any command at once,
with 130 or 143. A command whose reader has gone, as in \`understudy report | head\`, ends silently with 141, as in a shell;
\`serve\` [keeps serving](deploy.md). In addition:

${table([["command", "1 if"], ...commands.map(({ fails, name }) => [code(name), fails])])}

${commands.map(section).join("\n\n")}
`

const section = ({ details, files, flags, name, summary }) => {
  const rows = Object.entries(flags).map(([flag, { about, multiple, value }]) => [
    code(`--${flag}${value === undefined ? "" : ` ${value}`}${multiple ? " …" : ""}`),
    about
  ])
  return [
    `## ${line(name, files)}`,
    `${sentence(summary)}`,
    ...(rows.length === 0 ? [] : [table([["flag", "what it is"], ...rows])]),
    ...(details === undefined ? [] : details.split("\n\n").map(paragraph))
  ].join("\n\n")
}

const line = (name, files) => code(["understudy", name, files].join(" ").trim())

const anchor = (name, files) =>
  line(name, files)
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-")

const code = (text) => `\`${text}\``

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`

/** What is set in by two blanks is typed by the reader. */
const paragraph = (text) =>
  text.startsWith("  ") ? `\`\`\`\n${text.replaceAll(/^ {2}/gm, "")}\n\`\`\`` : text

const table = ([head, ...rows]) => {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)))
  const aligned = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`
  return [aligned(head), aligned(widths.map((width) => "-".repeat(width))), ...rows.map(aligned)].join("\n")
}
