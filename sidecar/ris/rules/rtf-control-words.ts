/** Destinations (RTF 1.9.1) that hold no words of the document. One behind \* that is not known holds none either. */
export const WORDLESS = new Set(
  `annotation atnauthor atndate atnicn atnid atnparent atnref atntime atrfend atrfstart author background bkmkend
  bkmkstart blipuid buptim category colorschememapping colortbl comment company creatim datafield datastore defchp defpap
  doccomm docvar ebcend ebcstart factoidname falt fchars ffdeftext ffentrymcr ffexitmcr ffformat ffhelptext ffl ffname
  ffstattext file filetbl fldinst fldtype fname fontemb fontfile ftncn ftnsep ftnsepc generator gridtbl hl hlinkbase info
  keycode keywords latentstyles lchars levelnumbers leveltext lfolevel linkval list listlevel listname listoverride
  listoverridetable listpicture liststylename listtable lsdlockedexcept manager mmathPr nextfile nonesttables
  nonshppict objalias objclass objdata objname objsect objtime oldcprops oldpprops oldsprops oldtprops operator panose
  password pgdsctbl pict pn pnseclvl pntxta pntxtb printim private propname protend protstart protusertbl pxe revtbl
  revtim rsidtbl rxe shppict sn sp staticval stylesheet subject sv svb tc template themedata title txe userprops
  wgrffmtfilter windowcaption writereservation writereservhash xe xform xmlattrname xmlattrvalue xmlclose xmlname
  xmlnstbl xmlopen`.split(/\s+/),
);
/** Destinations that hold the head and foot of a page. */
export const MARGIN = new Set(['header', 'headerf', 'headerl', 'headerr', 'footer', 'footerf', 'footerl', 'footerr']);
/** Of the destinations behind \* those that have words all the same: text boxes and the Unicode half of \upr. */
export const STARRED_WORDS = new Set(['shpinst', 'shptxt', 'do', 'dptxbxtext', 'ud', 'txfieldtext']);

/** Control words after which a new line begins. */
export const LINE_ENDS = new Set([
  'par',
  'line',
  'sect',
  'page',
  'column',
  'row',
  'nestrow',
  'lbr',
  'softline',
  'softpage',
]);
/** Control words that are a sign of the text. */
export const SIGNS: ReadonlyMap<string, string> = new Map([
  ['tab', '\t'],
  ['cell', '\t'],
  ['nestcell', '\t'],
  ['lquote', '‘'],
  ['rquote', '’'],
  ['ldblquote', '“'],
  ['rdblquote', '”'],
  ['bullet', '•'],
  ['emdash', '—'],
  ['endash', '–'],
  ['emspace', ' '],
  ['enspace', ' '],
  ['qmspace', ' '],
  ['zwj', '\u200d'],
  ['zwnj', '\u200c'],
  ['ltrmark', ''],
  ['rtlmark', ''],
]);
