//! Which texts are names: few characters, so that a name is safe in a path, a metric, a log line and a terminal, and no
//! two names look alike by way of Unicode.

use thiserror::Error;

use crate::limits;

/// What a text has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// A chain's or a group's id. Lower case, because it names directories.
    Id,
    /// A contract's or a validator's name.
    Name,
    /// A contract's method.
    Method,
}

/// Why a text is no name of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// It has no characters.
    #[error("is empty")]
    Empty,
    /// It is too long.
    #[error("has {found} bytes, the limit is {limit}")]
    TooLong {
        /// Its length in bytes.
        found: usize,
        /// The greatest length.
        limit: usize,
    },
    /// It has a character that is not allowed, or not allowed there.
    #[error("has {character:?} at byte {at}; {rule}")]
    Character {
        /// The character.
        character: char,
        /// Where it stands, in bytes.
        at: usize,
        /// What is allowed.
        rule: &'static str,
    },
}

impl NameKind {
    /// Whether the text is a name of this kind.
    ///
    /// # Errors
    /// If it is empty, too long, or has a character that is not allowed where it stands.
    pub fn check(self, text: &str) -> Result<(), NameError> {
        let limit = self.limit();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > limit {
            return Err(NameError::TooLong { found: text.len(), limit });
        }
        match text.char_indices().find(|(at, character)| !self.allows(*at, *character)) {
            None => Ok(()),
            Some((at, character)) => Err(NameError::Character { character, at, rule: self.rule() }),
        }
    }

    fn limit(self) -> usize {
        match self {
            NameKind::Id => limits::ID_BYTES,
            NameKind::Name | NameKind::Method => limits::NAME_BYTES,
        }
    }

    fn allows(self, at: usize, character: char) -> bool {
        let inside = at > 0;
        match self {
            NameKind::Id => match character {
                'a'..='z' | '0'..='9' => true,
                _ => inside && matches!(character, '-' | '_' | '.'),
            },
            NameKind::Name => character.is_ascii_alphanumeric() || inside && matches!(character, '-' | '_' | '.'),
            NameKind::Method => {
                character.is_ascii_alphabetic() || character == '_' || inside && character.is_ascii_digit()
            }
        }
    }

    fn rule(self) -> &'static str {
        match self {
            NameKind::Id => "a to z and 0 to 9 are allowed, and after the first of these '-', '_' and '.'",
            NameKind::Name => "letters (ASCII) and digits are allowed, and after the first of these '-', '_' and '.'",
            NameKind::Method => "letters (ASCII) and '_' are allowed, and after the first of these digits",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_each_kind() {
        let good =
            [(NameKind::Id, "a-1_b.c"), (NameKind::Id, "0"), (NameKind::Name, "Token-2.v1"), (NameKind::Method, "_m2")];
        for (kind, text) in good {
            assert_eq!(kind.check(text), Ok(()), "{text}");
        }
        let bad = [
            (NameKind::Id, "A"),
            (NameKind::Id, ".."),
            (NameKind::Id, "-a"),
            (NameKind::Id, "a/b"),
            (NameKind::Name, "a b"),
            (NameKind::Name, "é"),
            (NameKind::Name, "a\u{202e}"),
            (NameKind::Name, "\0"),
            (NameKind::Method, "2m"),
            (NameKind::Method, "a.b"),
        ];
        for (kind, text) in bad {
            assert!(matches!(kind.check(text), Err(NameError::Character { .. })), "{text:?}");
        }
    }

    #[test]
    fn lengths_are_bounded() {
        for kind in [NameKind::Id, NameKind::Name, NameKind::Method] {
            assert_eq!(kind.check(""), Err(NameError::Empty));
            assert_eq!(kind.check(&"a".repeat(64)), Ok(()));
            assert_eq!(kind.check(&"a".repeat(65)), Err(NameError::TooLong { found: 65, limit: 64 }));
        }
    }
}
