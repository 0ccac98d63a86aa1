/** The guide to these commands, `docs/commands.md`. */
export const commandsPage = (commands) => `# The commands

Made of what the commands say of themselves; \`npm run commands\` makes it anew. In a clone of the repository \`understudy\` is
\`npm start -s --\`. \`understudy help COMMAND\`, or \`--help\` or \`-h\` behind a command, prints its part of this page, and
\`--version\` the version.

${table([
  ["command", "what it does"],
  ...commands.map(({ files, name, summary }) => [`[${line(name, files)}](#${anchor(name, files)})`, summary])
])}

Without FILE a command takes \`understudy.yaml\` where it is started, and else a policy of the program's own, which needs no
network and no key. \`…\` stands for several. Flags may come before the command too, as in \`understudy --json check\`.

## Exit codes

0 where a command did what it should, and 1 where it did not. Then the last line on stderr is \`understudy: \`, the reason and
mostly a remedy; stdout has what was found by then, if anything. A line that makes no sense, such as an unknown flag, is 1 for
every command, and so is SIGINT or SIGTERM before it is done; \`serve\` is done when it is told to stop. A second one of these
signals ends any command at once, with 130 or 143. One whose reader has gone, as in \`understudy report | head\`, ends without a
word, with 141 as in a shell; \`serve\` [serves on](deploy.md). Beside that:

${table([["command", "1 where"], ...commands.map(({ fails, name }) => [code(name), fails])])}

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
