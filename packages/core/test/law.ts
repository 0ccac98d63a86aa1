/** How many cases a law is tried with; `npm run test:laws` asks for many more. */
export const runs = Number(process.env["LAW_RUNS"] ?? 1000)
