//! Information classes of [MS-FSCC] 2.4, 2.5 and the directory classes.
