//! Slots with generations: the home of every object of the server.
//!
//! Objects refer to each other by [`Id`], never by pointer. An id whose object has gone never
//! names another one, because the slot's generation has moved on.

use std::fmt;
use std::marker::PhantomData;

/// Names one object of a table: slot index and the slot's generation.
pub struct Id<T> {
    index: u32,
    generation: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// As one number: generation in the high half, index plus one in the low half (so never 0).
    /// The top bit stays clear, so that it is never one of the all-ones values of the wire.
    #[must_use]
    pub fn to_u64(self) -> u64 {
        (u64::from(self.generation) << 32) | u64::from(self.index.saturating_add(1))
    }

    /// The inverse of [`Self::to_u64`]; `None` for a number that no id has.
    #[must_use]
    pub fn from_u64(v: u64) -> Option<Self> {
        let index = u32::try_from(v & 0xffff_ffff).ok()?.checked_sub(1)?;
        let generation = u32::try_from(v >> 32).ok()?;
        Some(Self {
            index,
            generation,
            of: PhantomData,
        })
    }
}

impl<T> Id<T> {
    /// Names nothing, ever.
    pub(crate) const NOBODY: Self = Self {
        index: u32::MAX - 1,
        generation: u32::MAX,
        of: PhantomData,
    };
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.generation) == (other.index, other.generation)
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.index, self.generation).cmp(&(other.index, other.generation))
    }
}
impl<T> std::hash::Hash for Id<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.index, self.generation).hash(state);
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}.{}", self.index, self.generation)
    }
}
impl<T> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

/// Objects of one kind. Iteration is in index order, so that outputs never depend on anything
/// but the inputs.
pub(crate) struct Table<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Table<T> {
    /// Puts an object into a free slot.
    pub(crate) fn insert(&mut self, value: T) -> Id<T> {
        if let Some(index) = self.free.pop()
            && let Some(slot) = usize::try_from(index)
                .ok()
                .and_then(|i| self.slots.get_mut(i))
        {
            slot.value = Some(value);
            return Id {
                index,
                generation: slot.generation,
                of: PhantomData,
            };
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot {
            generation: 0,
            value: Some(value),
        });
        Id {
            index,
            generation: 0,
            of: PhantomData,
        }
    }

    fn slot(&self, id: Id<T>) -> Option<&Slot<T>> {
        let slot = self.slots.get(usize::try_from(id.index).ok()?)?;
        (slot.generation == id.generation).then_some(slot)
    }

    /// The object, unless it has gone.
    pub(crate) fn get(&self, id: Id<T>) -> Option<&T> {
        self.slot(id)?.value.as_ref()
    }

    /// The object, unless it has gone.
    pub(crate) fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        let slot = self.slots.get_mut(usize::try_from(id.index).ok()?)?;
        if slot.generation != id.generation {
            return None;
        }
        slot.value.as_mut()
    }

    /// Takes the object out. A slot whose generations are used up is not used again.
    pub(crate) fn remove(&mut self, id: Id<T>) -> Option<T> {
        let slot = self.slots.get_mut(usize::try_from(id.index).ok()?)?;
        if slot.generation != id.generation {
            return None;
        }
        let value = slot.value.take()?;
        // The generation's top bit stays clear; see `Id::to_u64`.
        if slot.generation < 0x7fff_fffe {
            slot.generation = slot.generation.saturating_add(1);
            self.free.push(id.index);
        } else {
            slot.generation = 0x7fff_ffff;
        }
        Some(value)
    }

    /// All objects in index order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        self.slots.iter().enumerate().filter_map(|(i, slot)| {
            let value = slot.value.as_ref()?;
            let index = u32::try_from(i).ok()?;
            Some((
                Id {
                    index,
                    generation: slot.generation,
                    of: PhantomData,
                },
                value,
            ))
        })
    }

    /// The ids of all objects in index order, detached from the table.
    pub(crate) fn ids(&self) -> Vec<Id<T>> {
        self.iter().map(|(id, _)| id).collect()
    }

    /// Number of objects.
    pub(crate) fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_id_names_nothing() {
        let mut t = Table::default();
        let a = t.insert("a");
        assert_eq!(t.remove(a), Some("a"));
        let b = t.insert("b");
        assert_eq!((t.get(a), t.get(b)), (None, Some(&"b")));
        assert_eq!(t.remove(a), None);
        assert_eq!(Id::from_u64(b.to_u64()), Some(b));
        assert_eq!(Id::<&str>::from_u64(0), None);
        assert_eq!(t.len(), 1);
    }
}
