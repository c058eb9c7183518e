const MODALITY = /^(CT|MR|US|CR|DX|DR|XR|RG|MG|NM|PT|XA|RF|BMD|BDUS|OT|IO|PX|ES|XC|ECG|IVUS|OCT|OP|RTIMAGE|MRI|PET)$/;

// Diagnostic service sections (OBR-24, HL7 table 0074) that are a modality under another name.
const MODALITY_OF_SECTION: ReadonlyMap<string, string> = new Map([
  ['NMR', 'MR'],
  ['NMS', 'NM'],
  ['RX', 'XR'],
  ['RUS', 'US'],
  ['CUS', 'US'],
  ['OUS', 'US'],
  ['VUS', 'US'],
]);

/** A code that stands for a modality, in upper case; `null` for any other. */
export function knownModality(raw: string): string | null {
  const code = raw.trim().toUpperCase();
  return MODALITY_OF_SECTION.get(code) ?? (MODALITY.test(code) ? code : null);
}

interface Words {
  readonly modality: string;
  readonly words: RegExp;
}

const named = (modality: string, ...words: readonly string[]): Words => ({
  modality,
  words: new RegExp(String.raw`(?<![\p{L}\d])(?:${words.join('|')})(?![\p{L}\d])`, 'iu'),
});

/** What an examination is called by what it is made with. Whole words: `Octreotide` is no CT. */
const BY_WORDS: readonly Words[] = [
  named('PT', String.raw`pet`, String.raw`pet[\s/-]?ct`, 'positron emission'),
  named(
    'NM',
    String.raw`nuclear\s+medicine`,
    'nuc(?:lear)?\\s+med',
    'spect(?:[\\s/-]?ct)?',
    'scintigra(?:phy|m)',
    String.raw`(?:whole\s+body\s+)?bone\s+scan`,
    String.raw`v\s*/\s*q`,
    'mibi',
    'sestamibi',
    'gallium',
    'mibg',
    'dmsa',
    'mag3',
  ),
  named('BMD', 'de?xa', 'bmd', String.raw`bone\s+(?:mineral\s+)?densit(?:y|ometry)`, 'densitometry', 'absorptiometry'),
  named('MG', String.raw`mammo(?:gra(?:m|ms|phy|phic))?`, 'tomosynthesis'),
  named('PX', 'opg', 'orthopantomogra(?:m|ph)'),
  named('CT', 'ct', 'cta', 'ctpa', 'ctca', 'ctkub', 'ctc', 'cat\\s+scan', String.raw`computed\s+tomography`),
  named('MR', 'mri', 'mr', 'mra', 'mrv', 'mrcp', String.raw`magnetic\s+resonance`),
  named('US', 'us', 'u/s', 'uss', 'ultra[\\s-]?sound', 'ultrasonography', 'sonogra(?:m|phy)', 'doppler', 'duplex', 'echocardiogra(?:m|phy)'),
  named('XR', 'x[\\s-]?rays?', 'xr', 'cxr', 'axr', 'radiogra(?:ph|phs|phy)', String.raw`plain\s+films?`, 'cr', 'dx'),
]; // prettier-ignore

/** Ways of looking that other modalities have too: `CT angiogram` is a CT. They count where nothing else is named. */
const BY_WEAK_WORDS: readonly Words[] = [
  named('RF', 'fluoro(?:scopy|scopic)?', String.raw`barium(?:\s+\w+)?`, 'videofluoroscopy', 'hysterosalpingogra(?:m|phy)'),
  named('XA', 'angiogra(?:m|ms|phy|phic)', 'dsa', 'venogra(?:m|phy)', 'arteriogra(?:m|phy)'),
]; // prettier-ignore

const naming = (table: readonly Words[], text: string): string[] =>
  table.filter(({ words }) => words.test(text)).map(({ modality }) => modality);

/** What each of these is called beside its own name: it is made together with that, or is a kind of it. */
const BESIDE: ReadonlyMap<string, readonly string[]> = new Map([
  ['PT', ['CT', 'MR']],
  ['NM', ['CT', 'MR']],
  ['BMD', ['XR']],
  ['MG', ['XR']],
  ['PX', ['XR']],
]);

/** The modality that the name of an examination says; `null` where it says none, or more than one. */
export function modalityInWords(text: string): string | null {
  const strong = naming(BY_WORDS, text);
  const beside = new Set(strong.flatMap((one) => BESIDE.get(one) ?? []));
  const found = strong.length > 0 ? strong.filter((one) => !beside.has(one)) : naming(BY_WEAK_WORDS, text);
  const [only, another] = found;
  return another === undefined ? (only ?? null) : null;
}
