/** As in the package's own `package.json`, which a bundle does not have; a test holds them together. */
export const version = "0.0.0"
