//! Where our side tables lie.
//!
//! MMTk reserves addresses for the side tables of all its plans, and for ours behind them, each as if
//! there were data everywhere in 128 TiB. When it starts it notes the state of every 4 MiB of what it
//! has reserved, and a process hardly does anything longer: so nothing of ours may lie behind.
//!
//! `inv:side.lent` Our local tables lie in the place of the last two of MMTk's own, which only its plan
//! Compressor has. They lie one behind the other's used part: no data is beyond the heap's range
//! (`inv:slot.range`), so of each table a quarter is used, and all fit.
//!
//! Absent on purpose: the table of unlog bits, which is global. MMTk puts it where tables of malloc'd
//! spaces would be.

use super::slot::HEAP_END;
use mmtk::util::metadata::MetadataSpec;
use mmtk::util::metadata::side_metadata::{LOCAL_SIDE_METADATA_VM_BASE_OFFSET, SideMetadataSpec};

/// Where MMTk's own tables end.
pub(super) const END: usize = LOCAL_SIDE_METADATA_VM_BASE_OFFSET;
/// The bytes of the last two: a bit for each word, and a word for each 512 bytes.
const LENT: usize = 4 << 40;

/// MMTk with more tables, or fewer, has other ones at the end.
const _: () = assert!(
    END == 0x08aa_8400_0000,
    "look at the end of MMTk's tables again"
);

/// A table that ends where our first one begins.
pub(super) const FRONT: MetadataSpec = ending_at(END - LENT);

/// A table that ends where the used part of `table` does.
pub(super) const fn behind(table: &MetadataSpec) -> MetadataSpec {
    let table = table.extract_side_spec();
    assert!(
        table.upper_bound_offset() <= END,
        "the table leaves what is lent"
    );
    let log_ratio = 3 + table.log_bytes_in_region - table.log_num_of_bits;
    ending_at(table.offset + (HEAP_END >> log_ratio))
}

/// A table of eight bytes that ends at `offset`.
const fn ending_at(offset: usize) -> MetadataSpec {
    let spec = SideMetadataSpec {
        name: "nothing",
        is_global: false,
        offset: offset - 8,
        log_num_of_bits: 0,
        log_bytes_in_region: 41,
    };
    assert!(spec.upper_bound_offset() == offset);
    MetadataSpec::OnSide(spec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binding::ObjectWords;
    use mmtk::vm::ObjectModel;

    #[test]
    fn the_tables_lie_apart_in_what_is_lent() {
        let tables = [
            *ObjectWords::LOCAL_FORWARDING_BITS_SPEC.as_spec(),
            *ObjectWords::LOCAL_MARK_BIT_SPEC.as_spec(),
            *ObjectWords::LOCAL_LOS_MARK_NURSERY_SPEC.as_spec(),
        ];
        let mut free = END - LENT;
        for table in &tables {
            let table = table.extract_side_spec();
            assert!(table.offset >= free, "{table:?}");
            assert!(table.upper_bound_offset() <= END, "{table:?}");
            // As large a part of the table as the heap's end is of 128 TiB.
            let bytes = (table.upper_bound_offset() - table.offset) as u128;
            free = table.offset + ((bytes * HEAP_END as u128) >> 47) as usize;
        }
    }
}
