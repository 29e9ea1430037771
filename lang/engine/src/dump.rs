//! Showing what a program becomes, stage by stage.

use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr;

use bowline_ffi::Types;
use bowline_middle::{core, ir};

use crate::dump_ffi::{Declarations, Exported, ExportedTo};
use crate::session::{Session, Stop, first_place};

/// A stage of the pipeline that can be shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// After expansion.
    Core,
    /// After the passes.
    Ir,
    /// Linked code of the stack machine.
    Bytecode,
    /// How foreign calls cross.
    Ffi,
}

impl Stage {
    /// Every stage with its name.
    pub const ALL: [(&'static str, Stage); 4] = [
        ("core", Stage::Core),
        ("ir", Stage::Ir),
        ("bytecode", Stage::Bytecode),
        ("ffi", Stage::Ffi),
    ];
}

impl FromStr for Stage {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Stage::ALL.iter().find(|(known, _)| *known == name);
        known.map(|(_, stage)| *stage).ok_or_else(|| {
            let names: Vec<_> = Stage::ALL.iter().map(|(name, _)| *name).collect();
            format!(
                "there is no stage \"{name}\": the stages are {}",
                names.join(", ")
            )
        })
    }
}

impl Session {
    /// The text of a stage of the program in a file, without the standard library's part; or the
    /// status to exit with, when the program is refused.
    pub fn dump_file(&mut self, file: &Path, stage: Stage) -> Result<String, i32> {
        self.try_dump(file, stage).map_err(|Stop(status)| status)
    }

    fn try_dump(&mut self, file: &Path, stage: Stage) -> Result<String, Stop> {
        if stage == Stage::Ffi {
            return self.dump_foreign(file);
        }
        let mut out = String::new();
        for unit in self.expand_whole(file)? {
            let show = !self.is_standard(&unit);
            if show && stage == Stage::Core {
                let (prims, globals) = (self.expander.primitives(), self.expander.globals());
                out.push_str(&core::print(&unit, prims, globals));
                continue;
            }
            let place = first_place(&unit);
            let module = self.compile(unit)?;
            if show && stage == Stage::Ir {
                let (prims, globals) = (self.expander.primitives(), self.expander.globals());
                out.push_str(&ir::print(&module, prims, globals));
            } else if stage == Stage::Bytecode {
                // The library's globals must be known to the linker.
                let entry = self.load(&module, place)?;
                if show {
                    out.push_str(&self.vm.disassemble(entry));
                }
            }
        }
        Ok(out)
    }

    fn dump_foreign(&mut self, file: &Path) -> Result<String, Stop> {
        let mut units = self.expand_whole(file)?;
        let (mut types, sources) = (Types::default(), self.loader.sources.borrow());
        let mut declarations = Declarations {
            prims: self.expander.primitives(),
            globals: self.expander.globals(),
            sources: &sources,
            types: &mut types,
            out: String::new(),
            exports: Vec::new(),
            functions: HashMap::new(),
        };
        for unit in units.iter_mut().filter(|unit| !self.is_standard(unit)) {
            declarations.unit(unit);
        }
        let Declarations {
            mut out, exports, ..
        } = declarations;
        drop(sources);
        if exports.is_empty() {
            return Ok(out);
        }
        // How much of the machine a procedure needs its code says.
        for unit in units {
            let place = first_place(&unit);
            let module = self.compile(unit)?;
            self.load(&module, place)?;
        }
        for ExportedTo { text, what, .. } in exports {
            out.push_str(&text);
            let Exported::Procedure(global) = what else {
                continue;
            };
            out.push_str(&match global.map(|id| self.vm.heavy_global(id)) {
                None => "  called by a way that is chosen when the program runs: it has no name\n"
                    .to_owned(),
                Some(None) => "  called by the light way: it only computes\n".to_owned(),
                Some(Some(why)) => format!("  called by the full way: {why}\n"),
            });
        }
        Ok(out)
    }
}
