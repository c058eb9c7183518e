/** One scrape: the value of each series by its name with its labels as they stand, `axis_studies{status="linked"}`. */
export async function scrape(port: number): Promise<{ text: string; values: ReadonlyMap<string, number> }> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} ${text}`);
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const series = lines.map((line): [string, number] => {
    const end = line.lastIndexOf(' ');
    return [line.slice(0, end), Number(line.slice(end + 1))];
  });
  return { text, values: new Map(series) };
}
