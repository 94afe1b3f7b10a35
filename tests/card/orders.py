"""The order of refusals of every command: scenes in which one thing after the other is wrong."""

from __future__ import annotations

from card import order_files, order_makers, order_pins, order_purses
from card.order import Order

ORDERS: tuple[Order, ...] = order_files.ORDERS + order_pins.ORDERS + order_purses.ORDERS + order_makers.ORDERS
