"""Publishers of an intensity that they have computed themselves, one file each; what they include is theirs to say."""
