/** An address and a port as one word, as Redis's log lines and CLIENT LIST have it: brackets hold an IPv6 address together. */
export function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
