//! A reader of FlatBuffers that believes nothing.
//!
//! LiteRT's own verifier has seen the bytes before; this one is only asked for what it does not check,
//! and answers "not there" where something lies outside.

/// Bytes of a file.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

/// A table in it.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    reader: Reader<'a>,
    place: usize,
    vtable: usize,
}

/// A vector in it: where its items lie, and how many there are.
#[derive(Clone, Copy)]
pub(crate) struct Vector<'a> {
    reader: Reader<'a>,
    start: usize,
    len: usize,
}

impl<'a> Reader<'a> {
    /// The root table of a file.
    pub(crate) fn root(bytes: &'a [u8]) -> Option<Table<'a>> {
        let reader = Self(bytes);
        reader.table(reader.offset(0)?)
    }

    fn array<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    fn u32(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    /// Where the offset at `at` points to.
    fn offset(self, at: usize) -> Option<usize> {
        at.checked_add(self.u32(at)? as usize)
    }

    fn table(self, place: usize) -> Option<Table<'a>> {
        let back = i64::from(i32::from_le_bytes(self.array(place)?));
        let vtable = i64::try_from(place).ok()?.checked_sub(back)?;
        Some(Table {
            reader: self,
            place,
            vtable: usize::try_from(vtable).ok()?,
        })
    }

    fn vector(self, place: usize) -> Option<Vector<'a>> {
        Some(Vector {
            reader: self,
            start: place.checked_add(4)?,
            len: self.u32(place)? as usize,
        })
    }
}

impl<'a> Table<'a> {
    /// Where the field of a slot lies; none where it is left out.
    fn field(self, slot: usize) -> Option<usize> {
        let read = |at| self.reader.array(at).map(u16::from_le_bytes);
        let size = usize::from(read(self.vtable)?);
        if slot.checked_add(2)? > size {
            return None;
        }
        let offset = usize::from(read(self.vtable.checked_add(slot)?)?);
        (offset != 0).then(|| self.place.checked_add(offset))?
    }

    /// A number of 32 bits; 0 where it is left out.
    pub(crate) fn u32(self, slot: usize) -> u32 {
        let field = self.field(slot);
        field.and_then(|at| self.reader.u32(at)).unwrap_or(0)
    }

    /// A number of 64 bits; 0 where it is left out.
    pub(crate) fn u64(self, slot: usize) -> u64 {
        let read = |at| self.reader.array(at).map(u64::from_le_bytes);
        self.field(slot).and_then(read).unwrap_or(0)
    }

    /// A number of 8 bits; 0 where it is left out.
    pub(crate) fn i8(self, slot: usize) -> i8 {
        let read = |at| self.reader.array(at).map(i8::from_le_bytes);
        self.field(slot).and_then(read).unwrap_or(0)
    }

    /// A string's bytes; none where it is left out.
    pub(crate) fn text(self, slot: usize) -> Option<&'a [u8]> {
        let vector = self.vector(slot)?;
        let end = vector.start.checked_add(vector.len)?;
        self.reader.0.get(vector.start..end)
    }

    /// A vector; none where it is left out.
    pub(crate) fn vector(self, slot: usize) -> Option<Vector<'a>> {
        self.reader.vector(self.reader.offset(self.field(slot)?)?)
    }

    /// The tables of a vector; none at all where it is left out.
    pub(crate) fn tables(self, slot: usize) -> impl Iterator<Item = Table<'a>> {
        let vector = self.vector(slot);
        let items = vector.into_iter().flat_map(Vector::words);
        items.map_while(move |(at, _)| self.reader.table(self.reader.offset(at)?))
    }

    /// The numbers of a vector of 32 bits each; none at all where it is left out.
    pub(crate) fn numbers(self, slot: usize) -> impl Iterator<Item = u32> {
        let vector = self.vector(slot);
        vector
            .into_iter()
            .flat_map(Vector::words)
            .map(|word| word.1)
    }
}

impl<'a> Vector<'a> {
    /// How many items it says to have.
    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// Its items as words of 32 bits, with their places; it ends where the file does.
    fn words(self) -> impl Iterator<Item = (usize, u32)> + use<'a> {
        (0..self.len).map_while(move |index| {
            let at = self.start.checked_add(index.checked_mul(4)?)?;
            Some((at, self.reader.u32(at)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table whose slot 4 is the number 7, slot 6 left out, slot 8 the string "ab".
    const FILE: [u8; 36] = [
        16, 0, 0, 0, // the root at 16
        10, 0, 12, 0, 4, 0, 0, 0, 8, 0, // the vtable at 4
        0, 0, //
        12, 0, 0, 0, // the table: its vtable is 12 back
        7, 0, 0, 0, // the number
        4, 0, 0, 0, // the string is 4 on
        2, 0, 0, 0, b'a', b'b', 0, 0,
    ];

    #[test]
    fn fields_are_read() {
        let root = Reader::root(&FILE).unwrap();
        assert_eq!((root.u32(4), root.u32(6), root.u32(100)), (7, 0, 0));
        assert_eq!(root.text(8), Some(b"ab" as &[u8]));
        assert_eq!(root.text(6), None);
    }

    #[test]
    fn nothing_outside_is_read() {
        for len in 0..FILE.len() {
            for at in 0..len {
                for value in [0, 1, 127, 255] {
                    let mut file = FILE[..len].to_vec();
                    file[at] = value;
                    if let Some(root) = Reader::root(&file) {
                        let _ = (root.u32(4), root.u64(4), root.i8(4), root.text(8));
                        assert!(root.tables(8).count() + root.numbers(8).count() <= 2 * len);
                    }
                }
            }
        }
    }
}
