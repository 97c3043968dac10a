/** What commands may ask of the proxy, where there is one. */

export interface ProxyHost {
  /** INFO proxy: fields in their order. */
  info(): Readonly<Record<string, string | number>>
}
