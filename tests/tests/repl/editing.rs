//! Typing an entry.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use libtest_mimic::Trial;
use vt100::Color;

use crate::Context;
use crate::terminal::{Result, Terminal, key};

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    type Body = fn(&Context, &Path) -> Result;
    let rows: &[(&str, Body)] = &[
        ("lines are indented as they are seen", indentation),
        ("what is not whole can be submitted", force),
        ("a line can be opened in what is whole", open),
        ("prose is as wide as the terminal", prose),
        ("names are completed", completion),
        ("few completions are explained", explained),
        ("commands and files are completed", commands),
        ("a signature is shown and goes away", hint),
        ("syntax and parentheses are shown", colour),
        ("nothing is coloured where colour is refused", plain),
        ("a paste is one entry, as it is", paste),
        ("a paste higher than the screen is evaluated", tall_paste),
        ("keys that come all at once are all read", at_once),
        ("an entry survives a narrower terminal", resize),
        ("wide characters take their place", wide),
        ("an interrupt drops the line", interrupt),
    ];
    rows.iter()
        .map(|&(name, body)| {
            bowline_tests::trials::trial(context, format!("editing::{name}"), body)
        })
        .collect()
}

fn indentation(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.send("(define (twice f x)\r(f (f x)))\r")?;
    t.block(&["> (define (twice f x)", "    (f (f x)))"])?;
    t.prompt()?;
    t.send("(let ((a 1)\r(b 2))\r(list a\rb))\r")?;
    t.block(&[
        "> (let ((a 1)",
        "        (b 2))",
        "    (list a",
        "          b))",
        "$1 = (1 2)",
    ])?;
    // The text of a string is left alone.
    t.send("(string-length \"a\rb\")\r")?;
    t.block(&["> (string-length \"a", "b\")", "$2 = 3"])?;
    t.leave(0)
}

fn force(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.send("(car '(1 2)")?;
    t.send(key::ALT_ENTER)?;
    t.see("error")?;
    t.prompt()?;
    t.enter("(+ 1 2)")?;
    t.value("3")?;
    t.leave(0)
}

fn open(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.send("(list 1 2)")?;
    t.send(&key::LEFT.repeat(2))?;
    t.send(key::CTRL_O)?;
    t.block(&["> (list 1", "        2)"])?;
    t.send(key::ENTER)?;
    t.value("(1 2)")?;
    t.leave(0)
}

fn prose(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.resize(24, 64)?;
    t.enter(",doc string-ref")?;
    t.see("The character at position")?;
    let (rows, wrapped) = (t.rows(), |row| t.screen().row_wrapped(row));
    match (0..24).find(|&row| wrapped(row)) {
        None => t.leave(0),
        Some(row) => Err(format!("{:?} goes on in the next row", rows[usize::from(row)]).into()),
    }
}

fn completion(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.enter("(define forty-two 42)")?;
    t.send("forty-t\t")?;
    t.see("> forty-two")?;
    t.send(key::ENTER)?;
    t.value("42")?;
    t.prompt()?;
    t.send("(call-with-curr\t")?;
    t.see("(call-with-current-continuation")?;
    t.send(key::CTRL_C)?;
    t.leave(0)
}

fn explained(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.enter("(define (exact-mine x) x)")?;
    t.send("(exact-\t")?;
    t.see("exact-integer-sqrt")?;
    t.see("exact-mine")?;
    t.see("yours")?;
    t.send(key::CTRL_C)?;
    t.leave(0)
}

fn commands(context: &Context, folder: &Path) -> Result {
    std::fs::write(folder.join("some-program.scm"), "(display \"here\")\n")?;
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.send(",lo\t")?;
    t.see(",load")?;
    t.send(" some-p\t")?;
    t.see("some-program.scm")?;
    t.send(key::ENTER)?;
    t.row("here")?;
    t.leave(0)
}

fn hint(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.send("(vector-ref ")?;
    t.see("(vector-ref vector k)")?;
    let place = t.place("(vector-ref vector k)")?;
    if t.cell(place)?.fgcolor() == Color::Default {
        return Err("the signature looks as if it had been typed".into());
    }
    t.send("#(5 6) 1)\r")?;
    t.block(&["> (vector-ref #(5 6) 1)", "$1 = 6"])?;
    t.prompt()?;
    t.send("(vector-ref ")?;
    t.see("(vector-ref vector k)")?;
    t.send(key::CTRL_C)?;
    t.block(&["> (vector-ref", ">"])?;
    t.leave(0)
}

fn colour(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.send("(if #t \"text\" (car '()))")?;
    t.see("(if #t \"text\" (car '()))")?;
    t.wait("colours, and the first parenthesis marked", |t| {
        let style = |text: &str| t.place(text).and_then(|at| t.cell(at)).ok().cloned();
        let keyword = style("if #t").is_some_and(|c| c.fgcolor() == Color::Idx(5));
        let string = style("\"text").is_some_and(|c| c.fgcolor() == Color::Idx(2));
        let pair = style("(if").is_some_and(|c| c.underline());
        let inner = style("(car").is_some_and(|c| c.underline());
        keyword && string && pair && !inner
    })?;
    t.send(key::ENTER)?;
    t.value("\"text\"")?;
    let first = t.place("(if")?;
    if t.cell(first)?.underline() {
        return Err("a parenthesis stays marked".into());
    }
    t.leave(0)
}

fn plain(context: &Context, folder: &Path) -> Result {
    for (arguments, environment) in [
        (&[][..], &[("NO_COLOR", "1")][..]),
        (&["--color=never"], &[]),
    ] {
        let mut t = Terminal::new(context, folder, arguments, environment)?;
        t.enter("(if #t \"text\" (car '()))")?;
        t.enter("(car 1)")?;
        t.see("error")?;
        t.send("(vector-ref ")?;
        t.see("(vector-ref   ; (vector-ref vector k)")?;
        t.send(key::CTRL_C)?;
        t.prompt()?;
        let (rows, columns) = t.screen().size();
        for row in 0..rows.get() {
            for column in 0..columns.get() {
                let cell = t.cell((row, column))?;
                if cell.fgcolor() != Color::Default || cell.bold() || cell.underline() {
                    return Err(format!("row {row}, column {column} is coloured").into());
                }
            }
        }
        t.leave(0)?;
    }
    Ok(())
}

fn paste(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.wait("that pastes are marked", |t| t.screen().bracketed_paste())?;
    t.send("\x1b[200~(define a 1)\n\n(define (f)\n     (+ a\n 1))\n(f)\x1b[201~")?;
    let pasted = [
        "> (define a 1)",
        "",
        "(define (f)",
        "     (+ a",
        " 1))",
        "(f)",
    ];
    t.block(&pasted)?;
    t.send(key::ENTER)?;
    t.block(&["(f)", "$1 = 2"])?;
    t.prompt()?;
    // All of it is one entry of the history.
    t.send(key::UP)?;
    t.wait("the paste again", |t| {
        let rows = t.rows();
        rows.iter().filter(|row| *row == "> (define a 1)").count() == 2
    })?;
    t.send(key::CTRL_C)?;
    t.leave(0)
}

fn tall_paste(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    let mut text = String::new();
    for n in 0..100 {
        writeln!(text, "(define (line-{n} x)\n  (+ x {n}))")?;
    }
    t.send(&format!("\x1b[200~{text}\x1b[201~"))?;
    t.see("(define (line-99 x)")?;
    t.send(key::ENTER)?;
    t.prompt()?;
    t.enter("(list (line-0 1) (line-99 1))")?;
    t.value("(1 100)")?;
    t.leave(0)
}

fn at_once(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.send("(define a 20)\r(define b 22)\r(+ a b)\r")?;
    t.value("42")?;
    t.leave(0)
}

fn resize(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    let entry = format!("(string-length \"{}\")", "x".repeat(50));
    t.send(&entry)?;
    t.see("xx\")")?;
    t.resize(24, 40)?;
    t.send(key::ENTER)?;
    t.value("50")?;
    t.prompt()?;
    t.resize(24, 100)?;
    t.enter("(+ 1 2)")?;
    t.value("3")?;
    t.leave(0)
}

fn wide(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.send("(string-length \"日本\")")?;
    t.see("日本\")")?;
    // Behind two characters of two columns each.
    t.wait("the cursor after the text", |t| {
        t.screen().cursor_position().1 == 2 + 16 + 4 + 2
    })?;
    t.send(&key::LEFT.repeat(3))?;
    t.send("x\r")?;
    t.block(&["> (string-length \"日x本\")", "$1 = 3"])?;
    t.leave(0)
}

fn interrupt(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.send("(car (cdr\r")?;
    t.send("never")?;
    t.see("never")?;
    t.send(key::CTRL_C)?;
    t.prompt()?;
    t.enter("(+ 1 2)")?;
    t.value("3")?;
    t.send(key::CTRL_C)?;
    t.block(&[">", ">"])?;
    t.send(key::CTRL_C)?;
    t.see("To leave")?;
    t.leave(0)
}
