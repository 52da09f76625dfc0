package language

import "regexp"

// Word is an expression to avoid.
type Word struct {
	// Name identifies the word in a finding.
	Name string
	// Better completes the sentence "instead of X, write ...".
	Better string

	found *regexp.Regexp
	// allowed matches proper uses, including the word. A place within such a match is not reported. It may be nil.
	allowed *regexp.Regexp
}

// Words are the expressions to avoid in text. A blank in an expression matches any white space, also a line end.
var Words = []Word{
	text("but for", `but for`, `except for`),
	text("of which", `of which`, `a sentence of its own that names the subject`),
	text("of those", `of those`, `the noun: "of the rejected series"`),
	text("where there is", `where there (?:is|are)`, `"if X exists" or "when X exists"`),
	text("where it is so", `where it is so`, `the condition itself: "if the log is empty"`),
	text("whoever", `whoever`, `the actor: "a reader", "an operator", "a client"`),
	text("taken for", `(?:is|are|be|was|were|been) taken for`, `"counts as", "is treated as" or "looks like"`),
	text("it is X's", `it is (?:the |a |an )?\w+'s`, `"X decides" or "X owns it"`),
	text("is told", `(?:is|are|be|was|were|been|being) told`, `"X reports it to Y" or "Y learns"`),
	text("tells whether", `tells? whether`, `reports whether`),
	text("all the same", `all the same`, `"still" or "nevertheless"`),
	text("what else", `what else`, `the thing itself: "the other fields"`),
	text("as it is", `as (?:it is|they are)`, `"unchanged" or "in its present form"`),
	text("hold", `hold|holds|held|holding`, `"contain", "keep", "apply", "be true", "limit" or "bound"`).
		unless(`(?:locks?|mutex|mu) (?:\w+ ){0,2}held|(?:hold|holds|held|holding) (?:\w+ ){0,2}(?:[\w.]*(?:locks?|mutex|mu))`),
	text("take", `take|takes|took|taken|taking`, `"accept", "read", "remove", "use" or "receive"`).
		unless(`(?:take|takes|took|taken|taking) (?:(?:only|about|up to|at most|at least|less than|more than|some|no|an?|the|its|this|that|so|too) ){0,3}` +
			`(?:\d|few|long|longer|time|space|memory|place|part|effect|over|care|turns?|[\w.]*(?:locks?|mutex|mu|minutes?|seconds?|hours?)\b)`),
	text("let go", `lets? go|letting go`, `delete, drop or release`),
	text("a for per", `(?:\d[\w.,]*(?: [a-z]+)?|once|twice|times|bytes|points|sets|lines|items|records|datagrams|requests|values|`+
		`names|labels|streams|allocations|attempts|samples) (?-i:an?) (?:second|minute|hour|day|metric|series|stream|line|point|reason|`+
		`service|record|datagram|batch|request|label|interval|segment|sample|tenant)`, `"per": "once per minute", "500 series per metric"`),
}

// LongCell is the name of findings of table cells with more than maxCellWords words.
const (
	LongCell     = "long cell"
	maxCellWords = 20
	betterCell   = `a sentence below the table`
)

// names are identifiers that do not name the thing they stand for.
var names = map[string]bool{
	"not": true, "is": true, "here": true, "says": true, "told": true, "hope": true, "ripe": true, "spent": true, "twin": true,
	"lent": true, "forsake": true, "worth": true, "wrap": true, "of": true, "settle": true, "take": true, "side": true,
}

// betterName is the advice for all identifiers in names. Verbs with proper uses, such as open for a file, are not in names:
// a reviewer must check them.
const betterName = `a name that says the thing and its unit, such as severity, canDelete or doneBytes`

func text(name, expression, better string) Word {
	return Word{Name: name, Better: better, found: regexp.MustCompile(`(?i)\b(?:` + spaced(expression) + `)\b`)}
}

// unless allows the word within matches of the expression.
func (w Word) unless(expression string) Word {
	w.allowed = regexp.MustCompile(`(?i)\b(?:` + spaced(expression) + `)`)
	return w
}

var blank = regexp.MustCompile(` `)

func spaced(expression string) string { return blank.ReplaceAllString(expression, `\s+`) }
