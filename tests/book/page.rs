//! A page of the book, as its tests see it: headings, links and fenced blocks, of which some are
//! files that the page says to write.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use testkit::root;

/// A page.
pub struct Page {
    /// Its path from the repository's top.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// Its headings, in order.
    pub headings: Vec<Heading>,
    /// Where its links and images lead to, as written.
    pub links: Vec<String>,
    /// Its inline code.
    pub codes: Vec<String>,
    /// Its fenced blocks, in order.
    pub blocks: Vec<Block>,
}

/// A heading.
pub struct Heading {
    /// 1 for the page's title.
    pub level: usize,
    /// Its text, without marks.
    pub text: String,
    /// What a link to it ends with.
    pub anchor: String,
    /// Where the heading starts in the page's text.
    pub start: usize,
}

/// A fenced block.
pub struct Block {
    /// What stands behind its fence: `trace`, `console`.
    pub info: String,
    /// The file that it is: the name on a line of its own before it.
    pub file: Option<String>,
    /// What it holds.
    pub text: String,
    /// Where that stands in the page's text.
    pub range: Range<usize>,
}

impl Page {
    /// Reads a page, named from the repository's top.
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(root().join(path))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut page = Self {
            path: path.to_owned(),
            text: text.clone(),
            headings: Vec::new(),
            links: Vec::new(),
            codes: Vec::new(),
            blocks: Vec::new(),
        };
        page.take_apart(&text);
        page
    }

    fn take_apart(&mut self, text: &str) {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let mut anchors = HashMap::new();
        // The words of the paragraph or heading under way, and whether code is all there is of it.
        let mut words = String::new();
        let mut named = None;
        let mut block: Option<Block> = None;
        for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    self.links.push(dest_url.into_string());
                }
                Event::Start(Tag::Paragraph | Tag::Heading { .. }) => words.clear(),
                Event::Start(Tag::CodeBlock(kind)) => {
                    let CodeBlockKind::Fenced(info) = kind else {
                        continue;
                    };
                    let (info, file) = (info.into_string(), named.take());
                    let (text, range) = (String::new(), range.end..range.start);
                    block = Some(Block {
                        info,
                        file,
                        text,
                        range,
                    });
                }
                Event::End(TagEnd::CodeBlock) => self.blocks.extend(block.take()),
                Event::End(TagEnd::Paragraph) => {
                    let name = text[range].trim().strip_prefix('`');
                    named = name
                        .and_then(|rest| rest.strip_suffix("`:"))
                        .filter(|name| !name.contains('`'))
                        .map(str::to_owned);
                }
                Event::End(TagEnd::Heading(level)) => {
                    named = None;
                    let anchor = anchor(&words, &mut anchors);
                    self.headings.push(Heading {
                        level: level as usize,
                        text: words.clone(),
                        anchor,
                        start: range.start,
                    });
                }
                Event::Code(code) => {
                    words.push_str(&code);
                    self.codes.push(code.into_string());
                }
                Event::Text(part) => match &mut block {
                    Some(block) => {
                        block.text.push_str(&part);
                        block.range.start = block.range.start.min(range.start);
                        block.range.end = block.range.end.max(range.end);
                    }
                    None => words.push_str(&part),
                },
                Event::SoftBreak => words.push(' '),
                _ => {}
            }
        }
    }

    /// What stands between a heading and the next one of its level or above.
    pub fn section(&self, heading: &Heading) -> Range<usize> {
        let mut behind = self.headings.iter().filter(|h| h.start > heading.start);
        let end = behind.find(|next| next.level <= heading.level);
        heading.start..end.map_or(self.text.len(), |next| next.start)
    }

    /// The blocks of this kind.
    pub fn blocks_of<'a>(&'a self, info: &'static str) -> impl Iterator<Item = &'a Block> {
        self.blocks.iter().filter(move |block| block.info == info)
    }
}

/// The anchor that mdBook and code hosts give a heading: lower case, hyphens for spaces, without
/// punctuation; numbered where it is not the first of its text.
fn anchor(heading: &str, seen: &mut HashMap<String, usize>) -> String {
    let bare: String = heading
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            letter if letter.is_whitespace() => Some('-'),
            letter => (letter.is_alphanumeric() || "_-".contains(letter)).then_some(letter),
        })
        .collect();
    let count = seen.entry(bare.clone()).or_default();
    *count += 1;
    match *count {
        1 => bare,
        more => format!("{bare}-{}", more - 1),
    }
}
