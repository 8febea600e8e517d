//! The grammar of traces, held to the parser: what one takes as a line the other does too, for
//! every line of up to three words, and for longer ones that are right or a word from right.

use std::collections::{BTreeSet, HashMap};

use harness::text::Document;
use kmem_rig::regression::Expectation;
use kmem_rig::rules::Rule;

use crate::{Page, page};

/// Rules within a word; in all others, what follows another is another word.
const WORDS: [&str; 3] = ["handle", "number", "index"];

/// What the parser objects to in a line that the grammar takes, since it is not about its form.
const BEYOND: [&str; 4] = [
    "numbered in order",
    "expected a block from",
    "expected a heap of",
    "expected a number from",
];

enum Form {
    Terminal(String),
    Rule(String),
    Sequence(Vec<Form>),
    Choice(Vec<Form>),
    /// With how many at most, if it is not any number.
    Repeated(Box<Form>, usize),
}

struct Grammar(HashMap<String, Form>);

impl Grammar {
    fn read(text: &str) -> Self {
        let rules = text.split(" ;\n").filter(|rule| !rule.trim().is_empty());
        let rules = rules.map(|rule| {
            let (name, form) = rule.split_once('=').expect("a rule");
            let mut tokens = tokens(form);
            tokens.reverse();
            (name.trim().to_owned(), choice(&mut tokens))
        });
        Self(rules.collect())
    }

    /// Whether all of a line is what this rule says.
    fn takes(&self, rule: &str, line: &str) -> bool {
        let rests = self.rests(&Form::Rule(rule.to_owned()), line, false);
        rests.iter().any(|rest| rest.is_empty())
    }

    /// What can be left of a text behind a form.
    fn rests<'a>(&self, form: &Form, text: &'a str, within: bool) -> Vec<&'a str> {
        match form {
            Form::Terminal(word) => {
                let rest = text.strip_prefix(word.as_str());
                let rest = if within {
                    rest
                } else {
                    rest.and_then(word_end)
                };
                rest.into_iter().collect()
            }
            Form::Rule(name) if !within && WORDS.contains(&name.as_str()) => {
                let rests = self.rests(&self.0[name], text, true);
                rests.into_iter().filter_map(word_end).collect()
            }
            Form::Rule(name) => self.rests(&self.0[name], text, within),
            Form::Choice(forms) => forms
                .iter()
                .flat_map(|form| self.rests(form, text, within))
                .collect(),
            Form::Sequence(forms) => forms.iter().fold(vec![text], |texts, form| {
                let rests = texts.iter().flat_map(|text| self.rests(form, text, within));
                rests.collect()
            }),
            Form::Repeated(form, most) => {
                let (mut all, mut last) = (vec![text], vec![text]);
                for _ in 0..*most {
                    last = last
                        .iter()
                        .flat_map(|text| self.rests(form, text, within))
                        .collect();
                    if last.is_empty() {
                        break;
                    }
                    all.extend(&last);
                }
                all
            }
        }
    }
}

/// What follows a word, if it ends here.
fn word_end(rest: &str) -> Option<&str> {
    if rest.is_empty() {
        Some(rest)
    } else {
        rest.strip_prefix(' ')
    }
}

fn tokens(form: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = form.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => rest[1..].find('"').expect("a closing quote") + 2,
            'a'..='z' => rest
                .find(|c: char| !c.is_alphabetic())
                .unwrap_or(rest.len()),
            _ => 1,
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

/// Reads a form from the end of reversed tokens.
fn choice(tokens: &mut Vec<String>) -> Form {
    let mut forms = vec![sequence(tokens)];
    while tokens.pop_if(|token| token == "|").is_some() {
        forms.push(sequence(tokens));
    }
    Form::Choice(forms)
}

fn sequence(tokens: &mut Vec<String>) -> Form {
    let mut forms = vec![item(tokens)];
    while tokens.pop_if(|token| token == ",").is_some() {
        forms.push(item(tokens));
    }
    Form::Sequence(forms)
}

fn item(tokens: &mut Vec<String>) -> Form {
    let token = tokens.pop().expect("a form");
    let closing = match token.as_str() {
        "{" => "}",
        "[" => "]",
        "(" => ")",
        terminal if terminal.starts_with('"') => {
            return Form::Terminal(terminal.trim_matches('"').to_owned());
        }
        _ => return Form::Rule(token),
    };
    let inside = choice(tokens);
    assert_eq!(tokens.pop().as_deref(), Some(closing));
    match closing {
        "}" => Form::Repeated(Box::new(inside), usize::MAX),
        "]" => Form::Repeated(Box::new(inside), 1),
        _ => inside,
    }
}

/// Lines of up to three of these words, and each of the long lines with a word more, less or
/// another.
fn lines(words: &[String], long_lines: &[&str]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut short = words.to_vec();
    for _ in 1..3 {
        all.extend(short.iter().cloned());
        let longer = |line: &String| {
            let line = line.clone();
            words.iter().map(move |word| format!("{line} {word}"))
        };
        short = short.iter().flat_map(longer).collect();
    }
    all.extend(short);
    for long in long_lines {
        let right: Vec<_> = long.split(' ').collect();
        for at in 0..=right.len() {
            let (before, behind) = right.split_at(at);
            let rest = behind.get(1..).unwrap_or(&[]);
            all.insert([before, rest].concat().join(" "));
            for word in words {
                all.insert([before, &[word], behind].concat().join(" "));
                all.insert([before, &[word], rest].concat().join(" "));
            }
        }
    }
    all
}

/// The grammar from a rule on; its last two rules are in words.
fn formal<'a>(page: &'a Page, rule: &str) -> &'a str {
    let text = &page.blocks_of("ebnf").next().expect("a grammar").text;
    let (formal, _) = text.split_once("text     =").expect("the rule of texts");
    let at = formal.find(&format!("\n{rule:<8} =")).expect("the rule");
    &formal[at + 1..]
}

#[test]
fn the_grammar_takes_the_expectations_that_the_parser_takes() {
    let page = page("trace-format.md");
    let mut grammar = Grammar::read(formal(&page, "verdict"));
    let rules = Rule::ALL
        .iter()
        .map(|rule| Form::Terminal(rule.name().to_owned()));
    grammar
        .0
        .insert("rule".to_owned(), Form::Choice(rules.collect()));
    grammar
        .0
        .insert("subject".to_owned(), Form::Terminal("kmem".to_owned()));
    let words = "kmem on host qemu agree diverge leak at 3 0x3";
    let words: Vec<_> = words.split(' ').map(String::from).collect();
    let mut taken = 0;
    for line in lines(&words, &["kmem on qemu diverge leak at 3"]) {
        // A subject may have any name.
        if !line.starts_with("kmem") {
            continue;
        }
        let parsed = line.parse::<Expectation>();
        let takes = grammar.takes("verdict", &line);
        assert_eq!(takes, parsed.is_ok(), "`{line}`: {parsed:?}");
        taken += u32::from(takes);
    }
    assert!(taken >= 8, "{taken} lines");
}

#[test]
fn the_grammar_takes_what_the_parser_takes() {
    let page = page("trace-format.md");
    let formal = formal(&page, "heap");
    let grammar = Grammar::read(formal);
    // Of both sides, or what one of them lacks would not be tried.
    let example = &page.blocks_of("trace").next().expect("an example").text;
    let ops = example.split_once("\nheap").expect("a heap").1;
    let keywords = ops.split_whitespace().filter(|word| {
        word.len() > 2
            && word
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter == '_')
    });
    let quoted = formal.split('"').skip(1).step_by(2);
    let mut words: Vec<_> = quoted
        .filter(|word| word.len() > 2 || "=+".contains(word))
        .chain(keywords)
        .chain(["a1", "a2", "8", "0x10", "0x", "a", "b1"])
        .map(String::from)
        .collect();
    words.sort();
    words.dedup();
    let long_lines = [
        "a2 = alloc_zeroed 8 align 0x10",
        "write a1 + 8 8",
        "free heap + 8",
        "free a1 + 8",
        "heap 8 pages grow 8 every 8 taken",
    ];
    let mut taken = 0;
    for line in lines(&words, &long_lines) {
        let heap = if line.starts_with("heap") {
            ""
        } else {
            "heap 64 pages\na0 = alloc 8\na1 = alloc 8\n"
        };
        let parsed = Document::parse(&format!("# kmem-rig trace v1\n{heap}{line}\n"));
        let takes = grammar.takes("region", &line) || grammar.takes("call", &line);
        taken += u32::from(takes);
        match parsed {
            Ok(_) => assert!(takes, "`{line}` is a line, and not in the grammar"),
            Err(error) => {
                let beyond = BEYOND.iter().any(|words| error.to_string().contains(words));
                assert!(!takes || beyond, "`{line}` is in the grammar: {error}");
            }
        }
    }
    assert!(taken >= 30, "{taken} lines");
}
