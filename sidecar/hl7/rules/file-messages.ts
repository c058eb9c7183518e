const FRAME = ['\u000b', '\u001c'];
const BEGINS = /(?:^|[\r\n])(?=MSH[^A-Za-z0-9\s])/g;

/** The messages of a file, byte for byte but for MLLP's own bytes: one, several one after the other, or in an envelope. */
export function messagesOfFile(bytes: Buffer): Buffer[] {
  const text = FRAME.reduce((rest, byte) => rest.replaceAll(byte, ''), bytes.toString('latin1'));
  const starts = [...text.matchAll(BEGINS)].map(({ index, 0: before }) => index + before.length);
  if (starts.length === 0) return [Buffer.from(text, 'latin1')];
  return starts.map((start, at) => {
    const whole = text.slice(start, starts[at + 1] ?? text.length);
    return Buffer.from(whole.replace(/(?:^|[\r\n])[BF]TS[^A-Za-z0-9\s][\s\S]*$/, '\r'), 'latin1');
  });
}
