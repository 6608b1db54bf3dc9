"""The catalogue of props: parametric household things, each a function of a colour and a random stream."""

from collections.abc import Callable

import numpy as np

from synth4d.scene.props.base import Primitive, PropShape, Top
from synth4d.scene.props.cookware import cutting_board, pan, pot, sponge, spoon
from synth4d.scene.props.food import apple, banana, carrot, donut, lemon, orange, pear, tomato
from synth4d.scene.props.pouring import bottle, can, carton, jug, teapot
from synth4d.scene.props.things import ball, book, box, rubber_duck, toy_block, toy_car
from synth4d.scene.props.vessels import bowl, glass, mug, plate, vase
from synth4d.types import Vec3

__all__ = ["SHAPES", "Maker", "Primitive", "PropShape", "Top"]

Maker = Callable[[Vec3, np.random.Generator], PropShape]
"""Main colour (sRGB) and random stream → one individual of the kind."""

SHAPES: dict[str, Maker] = {
    "mug": mug,
    "glass": glass,
    "bowl": bowl,
    "plate": plate,
    "vase": vase,
    "jug": jug,
    "teapot": teapot,
    "bottle": bottle,
    "can": can,
    "carton": carton,
    "pot": pot,
    "pan": pan,
    "spoon": spoon,
    "cutting_board": cutting_board,
    "sponge": sponge,
    "apple": apple,
    "orange": orange,
    "banana": banana,
    "lemon": lemon,
    "pear": pear,
    "tomato": tomato,
    "carrot": carrot,
    "donut": donut,
    "book": book,
    "box": box,
    "toy_block": toy_block,
    "ball": ball,
    "toy_car": toy_car,
    "rubber_duck": rubber_duck,
}
