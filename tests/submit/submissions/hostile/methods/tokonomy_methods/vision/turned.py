"""Shared code."""

ACCESS = "user‮ ⁦# admin⁩ ⁦"
