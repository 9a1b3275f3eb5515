/** Stands in the bundle for what webtorrent imports and this program has switched off: see tsdown.config.ts. */
const absent: { readonly WEBRTC_SUPPORT: false } = { WEBRTC_SUPPORT: false };

// biome-ignore lint/style/noDefaultExport: it takes the place of modules that have one
export default absent;
export { absent as Client, absent as WebSocketServer };
