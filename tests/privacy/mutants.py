"""Seeded leaks: the real parts, each with one mistake that would show the room or break another promise."""

from dataclasses import dataclass

from . import seeded_overlaps as overlaps
from . import seeded_people as people
from . import seeded_pictures as pictures
from . import seeded_settings as settings
from .rig import Parts


@dataclass(frozen=True)
class Mutant:
    """One seeded leak.

    Attributes:
        name: what goes wrong.
        parts: the real ones with the mistake in one of them.
    """

    name: str
    parts: Parts


MUTANTS = (
    Mutant("raw first frame", Parts(pipeline=pictures.RawFirst)),
    Mutant("raw on exception", Parts(pipeline=pictures.RawOnException)),
    Mutant("settings swapped half-way", Parts(pipeline=pictures.HalfSwapped)),
    Mutant("image failure shows raw", Parts(control=settings.ImageFailureShowsRaw)),
    Mutant("stale mask", Parts(pipeline=pictures.StaleMask)),
    Mutant("mask reused after a fault", Parts(pipeline=pictures.MaskReused)),
    Mutant("wrong shape resized", Parts(pipeline=pictures.Resized)),
    Mutant("NaN as person", Parts(pipeline=pictures.NanIsPerson)),
    Mutant("first mask inverted", Parts(pipeline=pictures.FirstInverted)),
    Mutant("aliased buffer", Parts(pipeline=pictures.Aliased)),
    Mutant("mask floor", Parts(pipeline=pictures.Floor)),
    Mutant("one raw row", Parts(pipeline=pictures.RawRow)),
    Mutant("repeated across an effect change", Parts(outlet=settings.RepeatsAcrossChange)),
    Mutant("repeated for too long", Parts(outlet=settings.RepeatsTooLong)),
    Mutant("chroma left raw", Parts(pipeline=pictures.RawChroma)),
    Mutant("raw allowed by a patch", Parts(control=settings.RawByPatch)),
    Mutant("one row not written", Parts(pipeline=pictures.UnwrittenRow)),
    Mutant("matte trails behind", Parts(pipeline=pictures.Trailing)),
    Mutant("matte beside the person", Parts(pipeline=pictures.Shifted)),
    Mutant("matte depends on the whole room", Parts(pipeline=pictures.LooksAround)),
    Mutant("picture of earlier settings accepted", Parts(outlet=settings.TakesOldRevision)),
    Mutant("picture instead of the placeholder", Parts(outlet=settings.KeepsAfterDrop)),
    Mutant("refused change half done", Parts(control=settings.HalfRefused)),
    Mutant("placeholder over the room", Parts(pipeline=pictures.PlaceholderOverRoom)),
    Mutant("raw while there is no model", Parts(pipeline=pictures.RawWhileNoMask)),
    Mutant("placeholder called raw", Parts(painter=settings.OriginLies)),
    Mutant("framing reads the room", Parts(pipeline=people.FramesByLight)),
    Mutant("second person shines through", Parts(pipeline=people.SecondPersonShines)),
    Mutant("who is left when the chosen one is away", Parts(pipeline=people.ForgetsWhoWasChosen)),
    Mutant("kept regions not cropped", Parts(pipeline=people.KeepsInThePicture)),
    Mutant("room before nobody's placeholder", Parts(pipeline=people.NobodyComesLate)),
    Mutant("mask reused without leave", Parts(pipeline=people.ReusesWithoutLeave)),
    Mutant("old matte after off and on", Parts(pipeline=people.RemembersAcrossOff)),
    Mutant("small model's mask of another frame", Parts(pipeline=people.SmallMaskOfBefore)),
    Mutant("small model's mask beside the person", Parts(pipeline=people.SmallMaskEnlarged)),
    Mutant("second look fails unnoticed", Parts(pipeline=people.SecondLookOptional)),
    Mutant("skipped frame shown", Parts(loop=people.SkippedShown)),
    Mutant("repeated until the next one is due", Parts(outlet=people.RepeatsWhileSlow)),
    Mutant("colours not turned", Parts(source=people.ChromaNotTurned)),
    Mutant("picture on its way when the camera is switched off", Parts(outlet=settings.IgnoresTheSwitch)),
    Mutant("repeated though the camera is switched off", Parts(outlet=settings.RepeatsAcrossTheSwitch)),
    Mutant("picture of before the camera was switched on", Parts(outlet=settings.TakesWhatIsLate)),
    Mutant("camera left open", Parts(capture=settings.NeverCloses)),
    Mutant("camera switched off in words only", Parts(control=settings.SwitchForgotten)),
    Mutant("mask of the other frame on its way", Parts(pipeline=overlaps.MaskOfTheOther)),
    Mutant("pyramid of the other frame on its way", Parts(pipeline=overlaps.PyramidOfTheOther)),
    Mutant("settings read again for the second half", Parts(pipeline=overlaps.LookReadTwice)),
    Mutant("level read again for the second half", Parts(pipeline=overlaps.LevelReadTwice)),
    Mutant("mask overwritten by the next frame's", Parts(pipeline=overlaps.MaskNotCopied)),
    Mutant("newer frame overtakes", Parts(loop=overlaps.NewestFirst)),
)
"""Each must be caught by the check that the real parts pass."""
